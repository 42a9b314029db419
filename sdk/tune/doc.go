// Package tune trains an adapter from a folder of images on the device that will use it.
//
// A run has three parts. First every image is decoded once and goes through the frozen network once; what enters the
// lowest adapted block is kept, so that nothing below it ever runs again, and so are the pooled features. Then a
// linear probe is fitted on the features: it takes seconds, its accuracy is the bar to beat, and its head is where the
// adapter starts. Then the AdaptMLP branches are trained together with the head by the recipe of the AdaptFormer
// paper, and the epoch that does best on a validation split of the training images is kept. Since a fresh branch
// changes nothing, the probe itself is the run's epoch 0, and the result never does worse than it on that split.
package tune
