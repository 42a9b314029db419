// Package pth reads PyTorch checkpoints: the zip container that torch.save writes since 1.6, and the one before it.
//
// Both hold a pickle, a program for a stack machine that Python would let call any function, and the raw bytes of the
// storages that its tensors view. Here the pickle runs on a machine that knows dicts, lists, tuples, scalars, storages
// and tensors and nothing else: a call of any other function leaves an opaque value that remembers its name and is an
// error only where a tensor is needed. Nothing is ever executed. What a file can make the reader do is bounded by
// constants of this package; whatever does not add up is checkpoint.ErrCorrupt.
//
// Source of the formats: Python's pickletools, and torch/serialization.py as far as files show.
package pth
