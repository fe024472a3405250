// Package ops has the stock nodes of a streaming network: those that make, change,
// share out and bring together messages without knowing what is in them.
//
// Every constructor returns what [sluice.Network.Node] takes, ports included, so
// that one call adds a node and nobody repeats its channels:
//
//	numbers, squares := net.Channel("numbers"), net.Channel("squares")
//	net.Node(ops.PushSlice("source", numbers, []int{1, 2, 3}))
//	net.Node(ops.Map("square", numbers, squares, square))
//	net.Node(ops.Pull("sink", squares, &results))
//
// The arguments come in one order: name, what is read, what is written, and then
// what the node does. Nothing runs before [sluice.Network.Run].
//
// # Which one
//
//	a sequence, or a slice, into a channel          Push, PushSlice
//	values made one by one, under a throttle        Produce with Under or Holding
//	a channel into a slice                          Pull
//	one value from each value                       Map
//	some of the values                              Filter
//	every output to see every message               Broadcast
//	each message to go to one worker that is free   Distribute
//	several channels as one, in any order           Merge
//	several channels as one, in order of number     OrderedMerge
//
// Anything else is a function of a context that loops over [sluice.Channel.All],
// which is what these are, too.
//
// # Who owns what
//
// A message moves. A node that hands a payload to your function hands over the
// payload too, unless it says that the function borrows it; what the function
// returns belongs to the node until it is sent. Whatever a node still holds when it
// ends is released, once, however it ends: at the end of its input, because nobody
// wants its output, by an error, by a panic. A number and a receipt stay with their
// message as it passes through.
//
// # How they end
//
// All nodes end in the same way, and only what differs is said at each. A node
// returns nil at the end of its input; [sluice.ErrStopped] when nobody wants its
// output any more, which a network takes for a good end; and any other error of its
// channels, of a payload or of a function given to it. Options that make no sense
// are errors of the node, too. The nodes leave it to the network to close, stop and
// abort channels, but for a [Broadcast] with a backlog, which says so.
package ops
