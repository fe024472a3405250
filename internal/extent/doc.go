// Package extent keeps runs of bytes in a private file on disk, for data that does not
// fit in memory. It is the store and the handle of spilling: whether and what to spill is
// for its caller to say.
//
// A [Store] is one file. [Store.Write] puts the bytes it is given there and returns an
// [Extent]; [Extent.Read] brings them back, once, and gives their space to the next
// extent. A read that fails leaves the extent as it was, to be read again:
//
//	e, err := store.Write(ctx, "sort run 3", run)   // run can be freed now
//	...
//	err = e.Read(ctx, run)                          // e is consumed, its space is free
//
// # How bytes lie in the file
//
// Data is cut into blocks of 1 MiB; the last one of an extent may be shorter. A block is
// compressed when the store compresses and that saves at least a page, takes whole pages
// of 4 KiB, and lies anywhere in the file: blocks of one extent need not be neighbours.
// Where it lies and its checksum (XXH3 of all the bytes it takes in the file) stay in
// memory. The file has no format and no meaning without the process that wrote it.
//
// The file has a name for no longer than it takes to open it, and none at all where the
// system can open a file without; so it is gone when the store is closed, and also when
// the process is killed. Where an open file must have a name (Windows), it is
// removed by [Store.Close], and left behind by a crash.
//
// # Direct or cached
//
// The file is opened for direct I/O, past the page cache, where the system and the file
// system can do that. What is spilled has to leave memory, and a cached spill file would
// fill it again: the cache counts against the limit of a container, and dirty pages are
// freed no faster than the disk takes them. The price: while there is memory to spare, the
// cache takes blocks 2 to 3 times and gives them back 10 to 20 times as fast as a disk that
// writes 4 GB/s and reads 2 (BenchmarkCache). On such a disk, blocks of 1 MiB with four in
// flight reach what larger ones reach (BenchmarkSpill), and a block that overwrites an old
// one costs half of one that makes the file longer, which is why a store does not give
// back space it is likely to need again (see [Store.Stats]).
//
// Direct I/O needs memory that starts at a multiple of 4 KiB. Blocks of such memory go to the
// file without a copy; those that do not start there, are gathered from several parts, or
// are no multiple of 4 KiB long are copied through staging memory, of which a store has
// [Options.Writes] blocks and never more (twice that when it compresses).
package extent
