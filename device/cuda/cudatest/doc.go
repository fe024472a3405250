// Package cudatest is a CUDA driver without a GPU: package cuda works on it as on the real
// one, so that programs that use it can be tested anywhere.
//
//	sim := cudatest.New(cudatest.Options{})
//	d, err := sim.Open(0, cuda.Options{})
//	...
//	err = d.Close()
//	err = sim.Check(ctx) // what was used wrongly, or never given back
//
// Streams are real queues: what is given to them is done by goroutines, in order and
// later. Every call is looked at: whether a context is current on the thread and the
// right one, whether handles exist, whether memory lies where it should and is live at
// the moment the stream comes to it, and at the end whether everything was given back.
// Calls can be made to fail, streams to stand still, and the device to break.
package cudatest
