// Package cuda is a [device.Device] on an NVIDIA GPU.
//
// Nothing is needed to build it: no cgo, no CUDA toolkit. The driver's library is loaded
// when a device is opened, on Linux with amd64 or arm64; where there is none, or the
// program was built with the tag nocuda, [Open] says so.
//
//	d, err := cuda.Open(0, cuda.Options{})
//	if errors.Is(err, cuda.ErrUnavailable) || errors.Is(err, cuda.ErrNoDevice) {
//		return device.NewHost(device.HostOptions{})
//	}
//
// # What goes where
//
// Each stream is a stream of the driver. Copies between device and pinned memory, fills of
// device memory, allocations and frees are given to it at once, and the device does them
// by itself. What Go has a part in holds its stream: what is queued behind waits in the
// program, and is given to the driver when that part is done. These are
//
//   - functions ([device.Stream.Do]): nothing can make the driver skip work it has, so
//     what is behind a function that may fail is not there yet;
//   - copies to ordinary memory, those of more than a megabyte from it, and whatever
//     begins and ends in host memory. They go by way of a few pinned buffers. Use
//     pinned memory where speed matters;
//   - a wait for an event of a stream that is itself held, or of another device.
//
// # Threads and contexts
//
// A device works on its primary context, which it shares with other code of the process
// that uses the same device. Every call of the driver makes the context current on the
// thread it happens to be on, and leaves it so: code that expects another context to be
// current has to set it itself, as a goroutine must anyway, because it moves between
// threads. No thread is held by a goroutine that waits, and the driver never calls
// back: one goroutine asks for the events that somebody waits for, and exists only while
// somebody does.
//
// # Kernels
//
// A [Program] is PTX that a package embeds, and that is loaded on each device when first a
// kernel of it is wanted there; [Function.Launch] queues one on a stream. Package axpy is the
// whole of it at its smallest: CUDA C, the PTX made of it, the launch, and the same in Go for the
// host device. The page on GPUs, docs/gpu.md, shows how a kernel becomes a node of a network.
//
// # Times
//
// With [Options].Trace each operation is given to the driver between two events, and the
// device notes the time when it comes to them; what Go does is timed by Go. That costs
// four more calls of the driver for each operation, some 3 µs in all. A stream is looked at
// when somebody waits for it, or when much was queued, and then the trace is told.
//
// Within a stream the times are good to about half a microsecond, the resolution of the driver's
// events. They are put on the clock of the process anew every second, which is off by no more
// than the tens of microseconds that asking takes. An operation begins when its stream comes
// to it: a copy that waits for a copy engine that is busy with another stream has begun. A
// copy to ordinary memory lasts until its bytes are there.
//
// # When it fails
//
// A call of the driver that is refused is an *[Error], within the *[device.OpError] of the
// operation. An error after which the driver refuses everything, such as that of a
// kernel that wrote where it must not, makes the device fail for good
// (*[device.FailedError]). Which operation it was the driver does not say; the error names the
// kernels that may have been running. All who use the device's primary context in this
// process see the same. Closing the device gives the context up, and the process can go on
// with the host device. Whether it can open this GPU again, or use another, is up to the
// driver, which wants a new process after some faults (results 716 to 719).
//
// A refusal that is not for good ends nothing but what it is about. Where the driver has no
// event to spare, or cannot make one stream wait for another, Go waits instead.
package cuda
