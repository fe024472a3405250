// Package table has the nodes that work on tables: a [Scan] of Parquet or CSV, a [Filter], a
// [Project] that computes columns, a group-by [Aggregate], a [Distinct], a [Join], a [Union], a
// [Sort], a [Limit], a [Write] to a file of either and a [Print]. What travels between them is the
// [Chunk], an Arrow record batch.
//
// A node is settings first. A struct says what to do, its zero values are good
// defaults, its Schema method checks it against the columns of the input and gives
// those of the output before any data is read, and its Node method returns what
// [sluice.Network.Node] takes:
//
//	net := sluice.NewNetwork("delays")
//	rows := net.Channel("rows")
//	late := net.Channel("late")
//	net.Node(table.Scan{Files: []string{"flights.parquet"}}.Node("scan", rows))
//	net.Node(table.Filter{Where: "delay > 60"}.Node("late", rows, late))
//	net.Node(table.Print{}.Node("print", late, os.Stdout))
//	err := net.Run(ctx)
//
// # Rules of the nodes
//
// Columns may be booleans, integers, floating-point numbers, decimals of up to 38
// digits (decimal128), text (UTF-8 strings and binary, both also as dictionaries),
// dates (date32), times of day (time32 and time64), timestamps of every unit with and
// without a time zone, and durations. A scan leaves text in the dictionary that the
// file has. Others are errors before any data is read, which name the column: wider
// decimals, half-precision floating-point numbers (float16), strings with 64-bit
// offsets, lists and structs.
//
// Decimals are exact: they are compared, grouped, sorted and added up in all their
// digits, and a sum that needs more than 38 is an error.
//
// Nulls are SQL's: no comparison is true of a null, aggregates skip nulls, and a
// null is a group of its own. One order is used everywhere: NaN equals NaN and is
// above every other number, -0 equals 0, text compares byte by byte, false comes
// before true.
//
// A stream of chunks has one schema and, because nobody downstream knows it
// otherwise, at least one chunk, with no rows if there are none: a scan of nothing
// sends one, a filter that nothing passes sends one at the end. Zero-row chunks are
// fine anywhere.
//
// Batches are immutable: a node that changes rows makes new ones.
//
// # Memory
//
// In a network with a [mem.Resource] ([sluice.WithMemory]) nodes stay within its limit of host
// memory. They reserve what they are going to make before they make it, and wait if it is not there;
// chunks that wait in channels meanwhile may be spilled, and come back when a node receives
// them. A limit of host memory of some sixteen times a chunk is comfortable; with [Scan].Rows
// chunks can be made smaller.
//
// All nodes work on tables of any size. This is what each of them holds that cannot be spilled, in parts
// of the limit where a part is named:
//
//   - [Scan] holds the chunks that it reads, one for each ticket, and of CSV a block of text for each file.
//   - [Filter], [Project]: for each worker a chunk, and what they make of it.
//   - [Limit], [Union] and [Print]: the chunk that passes.
//   - [Aggregate], [Distinct]: tables of groups, a quarter in all.
//   - [Join]: an eighth for the table of one side, or of a partition of it.
//   - [Sort]: a quarter for the rows that it collects or merges.
//   - [Write]: an eighth for the rows of a row group, and as much again to encode it.
//
// What does not fit that waits where it can be spilled: groups and joined rows in partitions by
// the hash of their keys, sorted rows in runs. None of these nodes takes more for a longer
// table, but a few hundred bytes of the Go heap for each piece on disk, which is not counted: about 100 MiB
// beside the limit is what a process needs for everything else, if [runtime/debug.SetMemoryLimit]
// keeps the Go heap below half of the limit and 16 MiB, or 48 MiB if that is more, as the sluice command does.
//
// Without a resource, memory is that of Arrow's Go allocator, and nothing is counted.
//
// Chunks of your own nodes are counted, and can be spilled, if they are made with an
// [Allocator].
package table
