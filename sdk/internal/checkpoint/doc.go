// Package checkpoint reads and writes safetensors files.
//
// A file is an 8-byte little-endian header length, a JSON header that names every tensor with its dtype, shape and
// byte range, and the tensors' bytes. Reading maps the file and hands out views of it: nothing is copied unless a
// conversion asks for it. Nothing that a file holds is trusted; whatever does not add up is ErrCorrupt.
package checkpoint
