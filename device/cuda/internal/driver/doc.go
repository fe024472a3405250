// Package driver is the part of the CUDA driver API that package cuda uses, as an
// interface with two implementations: the driver's library, loaded at run time and
// called without cgo, and the simulated driver of package cudatest.
//
// Methods are named after the functions they stand for, without the prefix cu. What the
// library takes as a pointer to a result is a result here; widths and meanings are the
// library's. Nothing is made safe at this level: whoever calls has to have a context
// current on the calling thread, and to stay on the thread between making it so and
// the call.
package driver
