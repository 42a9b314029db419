// Package sdk runs one frozen Vision Transformer for many visual tasks on a small device, and trains the tasks there.
//
// The nouns:
//
//   - A [Runtime] is one open device: the CPU, or a GPU through Vulkan.
//   - A [Backbone] is a frozen ViT, quantised once and resident on the device.
//   - An [Adapter] is one visual task: AdaptMLP branches beside some of the backbone's blocks, and a head. It is a file of
//     0.2 to 3 MB, and an argument of the call: switching tasks is passing another pointer.
//
// A complete program:
//
//	rt, err := sdk.Open(ctx)
//	...
//	defer rt.Close()
//	vit, err := vits14.Open()
//	bb, err := rt.UseBackbone(ctx, vit)
//	cloth, err := bb.LoadAdapter(ctx, "textile.safetensors")
//	r, err := bb.Predict(ctx, photo, cloth, sdk.TopK(3))
//	fmt.Println(r.Labels[0].Name, r.Labels[0].Score)
//
// Adapters come from [Backbone.Tune], which trains one from a folder of images (package data) by the recipe of package
// tune, or from files. Package model reads checkpoints and backbone files, package adapter reads adapter files; both
// formats are safetensors and described in docs/FORMATS.md.
//
// An adapter may carry a plug-in: a WebAssembly module that chooses the part of a picture to look at, or turns scores into
// an answer such as a count ([Result].Plugin). It runs in the sandbox of package plugin.
//
// Everything made from a Runtime is closed with it. Types say what they are for concurrent use; nothing here panics on
// what a file, an image or a plug-in holds, exits the process or logs unless given a logger.
package sdk
