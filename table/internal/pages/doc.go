// Package pages reads Parquet row groups into Arrow record batches: flat columns
// of booleans, numbers, text, dates and timestamps, decoded straight into Arrow's
// layout, with dictionaries of text kept as Arrow dictionaries.
//
// It stands on the metadata types, encodings and codecs of parquet-go, and walks
// the pages itself, because a file from elsewhere may be damaged in any byte. A
// page that carries a checksum is checked against it. No count or size that a
// file states is believed before something else bears it out: nothing is
// allocated for a claim that the bytes at hand cannot hold, and what still goes
// wrong inside a decoder comes back as an error. Every error names the file, and
// below the footer also the row group and the column.
package pages
