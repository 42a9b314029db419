// Package adapter holds what one task adds to a frozen backbone: AdaptMLP branches, a head, and what is needed to use
// them rightly: labels, input size, preprocessing, pooling, and which backbone they were trained for.
//
// An [Adapter] is immutable. [New] makes one that changes nothing yet, [ReadFile] reads one, [Import] takes one over
// from the AdaptFormer authors' names; training publishes its result with [Adapter.WithTensors].
package adapter
