// Package mem keeps a program within its memory. A [Resource] has a limit for each
// [Kind] of memory, counts what is taken of it, and makes room by moving what is
// needed last to a slower kind.
//
// # The mental model
//
// Memory is promised before it is taken. A step that is about to make something asks
// for all the bytes it will need, at once, and waits until they are there:
//
//	res, err := resource.Reserve(ctx, mem.Host, 1<<20)
//	if err != nil {
//		return err
//	}
//	defer res.Release()
//	buffer, err := res.Alloc(mem.Host, 1<<20, nil)
//
// What is allocated is charged to the reservation; what is left of it goes back on
// Release. The buffer stays charged until it is released, wherever it travels.
//
//  1. Reserve all that a step needs in one call, and hold no other reservation
//     meanwhile. Who holds one and waits for the next may wait for himself.
//  2. Requests are served in the order in which they came. One that needs a kind of
//     memory for which another waits lines up behind it, so that a large request is
//     not overtaken for ever.
//  3. While somebody waits, and only then, the resource spills: it takes payloads
//     that wait in channels, and whatever was registered with [Resource.Register],
//     and moves them to slower memory, those needed last first.
//  4. A part of each limit is set aside. When everybody waits and nothing can be
//     spilled, the request that has waited longest gets it, so that somebody can go on.
//  5. A nil *Resource has no limits and counts nothing, and a nil *Reservation means
//     unaccounted: code written for a resource runs without one.
//
// # Who owns what
//
// A [Reservation] belongs to who asked for it, a [Buffer] to whoever holds a
// reference; both are released explicitly. [Resource.Close] says what never was, and
// which node it came from.
package mem
