package pages

import (
	"errors"
	"fmt"
	"math"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// Rows are consecutive rows of a row group, From the first to before To.
type Rows struct{ From, To int }

// A PageRange is what the index of a file says about the values of a column in one page.
type PageRange struct {
	Rows
	Range
}

// largestIndex is how many bytes of an index are worth reading.
const largestIndex = 16 << 20

// errIndex says that there is no index, or none that can be believed. Nothing depends on there being one.
var errIndex = errors.New("no index of pages")

// PageRanges returns what the index of pages says about the values of a field in row group g, page after page,
// or nil if there is no index or it contradicts itself. What is believed of bounds is what [File.Range]
// says.
func (f *File) PageRanges(g, field int) []PageRange {
	leaf := f.leaves[field]
	if leaf < 0 || f.fields[field].Err != nil || leaf >= len(f.meta.ColumnOrders) {
		return nil
	}
	places, err := f.pagePlaces(g, leaf)
	if err != nil {
		return nil
	}
	_, ordered := f.meta.ColumnOrders[leaf].Value.(*format.TypeDefinedOrder)
	column := &f.meta.RowGroups[g].Columns[leaf]
	var index format.ColumnIndex
	if f.readIndex(column.ColumnIndexOffset, int64(column.ColumnIndexLength), &index) != nil ||
		len(index.NullPages) != len(places) || len(index.MinValues) != len(places) || len(index.MaxValues) != len(places) {
		return nil
	}
	found := make([]PageRange, len(places))
	for i, place := range places {
		r := PageRange{Rows: place.Rows}
		r.NoNull = !f.fields[field].Nullable || len(index.NullCounts) == len(places) && index.NullCounts[i] == 0
		least, most := index.MinValues[i], index.MaxValues[i]
		if index.NullPages[i] {
			r.AllNull = !r.NoNull && len(least)+len(most) == 0
		} else if ordered {
			r.bound(f.fields[field], least, most)
		}
		found[i] = r
	}
	return found
}

// A pagePlace is where a page lies in the file, its header first.
type pagePlace struct {
	Rows
	at, size int64
}

// pagePlaces reads where the pages of a column chunk are: one after the other, with all rows between them.
func (f *File) pagePlaces(g, leaf int) ([]pagePlace, error) {
	group := &f.meta.RowGroups[g]
	column := &group.Columns[leaf]
	start, size, err := f.section(column)
	if err != nil {
		return nil, err
	}
	var index format.OffsetIndex
	if err := f.readIndex(column.OffsetIndexOffset, int64(column.OffsetIndexLength), &index); err != nil {
		return nil, err
	}
	places := make([]pagePlace, len(index.PageLocations))
	at, row := start, int64(0)
	for i, l := range index.PageLocations {
		if l.Offset < at || l.CompressedPageSize <= 0 || l.FirstRowIndex < row || i == 0 && l.FirstRowIndex != 0 ||
			int64(l.CompressedPageSize) > start+size-l.Offset || l.FirstRowIndex > group.NumRows {
			return nil, errIndex
		}
		at, row = l.Offset+int64(l.CompressedPageSize), l.FirstRowIndex
		places[i] = pagePlace{at: l.Offset, size: int64(l.CompressedPageSize), Rows: Rows{From: int(row)}}
		if i > 0 {
			places[i-1].To = int(row)
		}
	}
	if len(places) == 0 {
		return nil, errIndex
	}
	places[len(places)-1].To = int(group.NumRows)
	return places, nil
}

// readIndex reads a part of the file that the footer points to.
func (f *File) readIndex(at, size int64, into any) (err error) {
	if at <= 0 || size <= 0 || size > largestIndex || at > f.size-int64(tail) || size > f.size-int64(tail)-at {
		return errIndex
	}
	data := make([]byte, size)
	if _, err := f.in.ReadAt(data, at); err != nil {
		return unexpected(err)
	}
	defer recoverInto(&err)
	n, err := thriftSize(data)
	if err != nil {
		return err
	}
	return thrift.NewDecoder(new(thrift.CompactProtocol).NewReaderFromBytes(data[:n])).Decode(into)
}

// indexPart is index for who needs some of the rows only. Of other pages not even the header is read.
func (c *chunk) indexPart(rows int, start, size, unpacked int64, places []pagePlace, keep []Rows) error {
	w := walker{in: c.in, at: start, left: places[0].at - start, unpacked: unpacked, codec: c.codec}
	number := 0
	for ; w.left > 0; number++ { // the dictionary
		e, header, err := w.entry(number, 0)
		if err == nil && header.Type == format.DictionaryPage {
			err = c.addDictionary(e, header)
		}
		if err != nil {
			return fmt.Errorf("page %d: %w", number, err)
		}
	}
	for i, place := range places {
		if len(Overlap(keep, []Rows{place.Rows})) == 0 {
			c.pages = append(c.pages, &entry{number: number + i, first: place.From, rows: place.To - place.From, absent: true})
			continue
		}
		w.at, w.left = place.at, min(place.size, start+size-place.at)
		e, header, err := w.entry(number+i, place.From)
		if err == nil {
			err = e.describe(header, rows-place.From)
		}
		if err == nil && e.rows != place.To-place.From {
			err = fmt.Errorf("%d rows, where the index of pages says %d", e.rows, place.To-place.From)
		}
		if err != nil {
			return fmt.Errorf("page %d: %w", number+i, err)
		}
		c.pages = append(c.pages, e)
	}
	return nil
}

// Overlap returns the rows that are in both of two lists, each of which rises.
func Overlap(a, b []Rows) (both []Rows) {
	for len(a) > 0 && len(b) > 0 {
		if r := (Rows{max(a[0].From, b[0].From), min(a[0].To, b[0].To)}); r.From < r.To {
			both = append(both, r)
		}
		if a[0].To < b[0].To {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	return both
}

// allRows are those of a row group.
func allRows(n int64) []Rows { return []Rows{{To: int(min(n, math.MaxInt32))}} }
