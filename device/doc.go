// Package device gives a program memory and streams of an accelerator, and a host
// device in pure Go that has the same without one.
//
// # The pieces
//
// A [Device] has memory of its own. A [Stream] is an in-order queue of work for it:
// allocate, copy, fill, call a function, free. Queuing returns at once. An [Event]
// marks a point in a stream; a goroutine can wait for it, and so can another
// stream. A [Block] is memory a device allocated, a [Span] is a part of a block or of
// ordinary memory, to copy from or to.
//
// # The mental model
//
// A program runs ahead of the device. It describes work, in order, on streams, and
// looks at results only after it has waited for an event that was recorded behind
// them. Nothing else orders anything: not time, not that it worked yesterday.
//
//  1. On one stream, work is done in the order in which it was queued.
//  2. Between streams there is no order but the one made by [Stream.WaitFor].
//  3. What work uses belongs to the device until the work is done. Host memory must
//     not be touched, and blocks must not be freed on another stream that has not
//     waited.
//  4. Allocating and freeing are in stream order, too: a block can be freed right
//     after the work that uses it was queued.
//  5. Waiting parks a goroutine, never a thread of the operating system.
//
// # When something fails
//
// A mistake that can be seen at once (bounds, a block that was freed, no memory) is an
// error of the call, and the stream goes on. An operation that fails later makes
// its stream fail: everything behind it, on this stream and on those that wait for its
// events, reports the *[OpError] of the operation. A device that fails for good wakes
// everybody with a *[FailedError]. Blocks can be freed all the same, until the device is
// closed, which says what was never freed.
//
// # Devices
//
// [NewHost] makes the device that is always there. [Faults] make it misbehave, in
// tests. To write another, implement [Device] and [Stream] with [NewBlock], [NewEvent] and
// [CheckCopy], and pass the tests of package devicetest.
package device
