// Package gpu runs Programs on Vulkan devices: it turns each operator into dispatches of the kernels in package
// shaders. A Program becomes one command buffer, recorded once and replayed; barriers follow from what the kernels
// declare to read and write; no operator falls back to the host.
//
// Activations are float32. Frozen weights stay in their scheme (int8, half or float32) and are widened inside the
// kernels. Without cgo, with the tag novulkan or outside Linux there is no device and Open says so.
package gpu
