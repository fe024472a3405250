// Package sluice runs streaming networks: nodes, which are plain functions in
// goroutines of their own, joined by bounded channels with backpressure from end to
// end. It is for pushing more data than fits in memory through several stages at
// once without one of them running ahead of the others.
//
// # The pieces
//
// A [Message] is a payload of any Go type with a sequence number. It moves: whoever
// holds it owns it. A [Channel] is a bounded first-in-first-out queue of messages,
// one slot by default; a full channel suspends its senders, an empty one its
// receivers. A [Throttle] hands out tickets to producers before they do expensive
// work, so that they do not all load data and then queue with it. A [Network] starts
// the nodes, ends channels as nodes return, and makes one error of everything that
// went wrong.
//
// # A node
//
// A node receives, does its work, sends, and returns nil at the end. It closes
// nothing by hand, and whatever a call returned as an error it may return as its own:
//
//	net.Node("parse", func(ctx context.Context) error {
//		for m, err := range lines.All(ctx) {
//			if err != nil {
//				return err
//			}
//			line, err := sluice.Take[string](&m)
//			if err != nil {
//				m.Release()
//				return err
//			}
//			m.Replace(parse(line)) // number and receipt stay
//			if err := records.Send(ctx, &m); err != nil {
//				m.Release()
//				return err
//			}
//		}
//		return nil
//	}, sluice.Reads(lines), sluice.Writes(records))
//
// Package ops has the stock nodes: sources, sinks, maps, fan-out and fan-in.
//
// # Payloads
//
// A payload takes part in memory management by the methods it has. Each is optional;
// plain Go values have none.
//
//	Release()                                                // free what it owns; called once
//	Content() mem.Content                                    // bytes it owns, per kind of memory
//	Copy(context.Context, *mem.Reservation) (any, error)     // a second one, for fan-out
//	Spill(context.Context, *mem.Reservation) (int64, error)  // to slower memory; returns the bytes freed
//	Restore(context.Context, *mem.Reservation) (int64, error) // and back
//
// A [*mem.Buffer] has all of them. Content is called by every send, before the channel
// is locked, and after each spill; it should be quick. Spill is called in a network with
// memory ([WithMemory]) in which somebody waits for more, while the message waits in a
// channel or with a suspended sender; Restore by a receive through a port made with
// [Port.At].
//
// Release is also called by whoever stops or aborts a channel with messages in it; in a
// network, one that panics there is a failure of the run.
//
// # Rules that hold everywhere
//
//  1. Ownership moves. A successful send empties the caller's message; on any error
//     the caller still owns it. Nothing is lost or freed twice.
//  2. Calls are safe to cancel. A context is looked at only when a call has to wait.
//     When it ends meanwhile, the operation happened or it did not, and the error
//     says which.
//  3. First come, first served: senders, receivers and those who wait for tickets.
//  4. From one producer to one consumer, order is kept.
//  5. Sending and receiving allocate nothing in steady state and start no goroutine.
//  6. Empty messages are refused.
//  7. Ready is not done: a message may travel while work on what it carries is still
//     queued on a device.
//
// Sequence numbers rise strictly from one node to one channel. The build tag
// sluicedebug checks that inside networks.
package sluice
