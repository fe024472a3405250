// Package csv makes Arrow record batches of CSV text. It knows text and lines, neither files nor
// settings: where text comes from, what to do about what does not parse, and how the memory
// is paid for, its caller says.
//
// A text goes through four steps, each in a file or two of its own:
//
//	text ──▶ Cutter ──▶ blocks of whole records ──▶ fields ──▶ columns
//	         cutter.go                              split.go   column.go, number.go, time.go
//
// A [Cutter] looks at nothing but quotes and newlines, which costs next to nothing, and so one
// goroutine keeps several busy that make something of the blocks. A record ends at the first
// newline behind an even number of quotes; the splitter of fields takes it so, too, also of
// records that are not well formed, and that is why a block can be understood without what is
// before it.
//
// A [Head] is what the beginning of a text says of its columns: their names, and, by inference, their
// types. A [Reader] makes a batch of a block, column by column: the fields are found first, for all
// columns, so that each column is read in a loop of its own, without a call or a decision per
// type and row. The memory that takes is known beforehand ([Reader.Bytes]), and never exceeded.
package csv
