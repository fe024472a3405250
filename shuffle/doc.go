// Package shuffle brings together what belongs together: it redistributes payloads by key,
// so that one consumer sees all rows of a key, also of data larger than memory.
//
// # The mental model
//
// Producers insert payloads of many keys. A [Partitioner], which knows what is in a payload,
// splits them into payloads of one partition each: all rows of a key go to the same one.
// Consumers take whole partitions, small enough to be worked on one at a time; one that is
// not is split again.
//
//	s, err := shuffle.New(ctx, shuffle.Options{Name: "by customer", By: table.ByKey("customer"), Parts: 16})
//	if err != nil {
//		return err
//	}
//	defer s.Close()
//	... // for each chunk:
//	err = s.Insert(ctx, chunk)
//	... // after the last one:
//	err = s.Finish(ctx)
//	for {
//		part, err := s.Next(ctx)
//		... // io.EOF after the last
//		for {
//			payload, err := part.Next(ctx)
//			... // io.EOF after the last
//		}
//	}
//
// [Node] is a node of a network that splits a stream as it passes instead: rows of
// partition i go to output i, and no partition is collected.
//
// # What holds
//
//  1. Everything that is inserted comes out in exactly one partition, or is released by
//     [Shuffle.Close].
//  2. In a partition, the rows of one producer are in the order in which it inserted them.
//  3. Small payloads are split together, so that the pieces that come out are not small
//     because those that went in were. Whoever inserts does that work: n producers split
//     on n processors, and none runs ahead of the others.
//  4. With memory in the context ([mem.FromContext]) all that waits here can be spilled,
//     the partitions first that are needed last. A split reserves all it takes at once, what it
//     reads included, while nobody holds anything for it that could not be spilled.
//  5. What was inserted and is not split yet is bounded by credits. A producer that gets none
//     splits what others have inserted, and only waits if somebody else is doing that.
package shuffle
