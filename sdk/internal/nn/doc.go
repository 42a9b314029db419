// Package nn is the model graph: a frozen Vision Transformer with AdaptMLP branches and a head, written against the
// operators of package backend.
//
// A [ViT] holds the frozen weights on one device and a [Task] holds an adapter's parameters there. A [Forward] is a
// compiled inference pass, a [Step] a compiled training step; both are recorded once for a batch and an input size
// and replayed. The graph never asks which device it runs on.
package nn
