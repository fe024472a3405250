package table

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"
)

// words are those of a text column in a row group, if all its chunks have dictionaries and the words of
// them that are in use are few. Then no word is looked up for a row: once for each dictionary is enough.
// Chunks have dictionaries of their own, which is why arrow-go's way to do this is closed to us.
type words struct {
	most  int // of them
	room  int // bytes of them as Parquet has them, which is less than a page
	codes map[string]int32
	list  []parquet.ByteArray // by code
	place []int32             // by code, among all words in order

	// Of the dictionary that was last seen.
	dict arrow.ArrayData
	seen []int32 // by its codes: ours, or -1
}

// wordsOf returns the words of a column, in the order in which they first occur, or nil if it is better
// encoded as any text is: there are too many, or they hardly occur again.
func wordsOf(group *groupRows, column int, page int64) *words {
	w := &words{most: int(page / 32), room: int(page), codes: make(map[string]int32)}
	codes := make([]int32, wordRows)
	rows := 0
	for _, part := range group.parts {
		view := newView(part.chunk.Batch().Column(column))
		if view.layout != layoutText || view.text.codes == nil || view.text.dict.Len() > 8*w.most {
			return nil
		}
		for from := int(part.from); from < int(part.to); from += wordRows {
			to := min(from+wordRows, int(part.to))
			rows += to - from
			if !w.recode(&view, from, to, codes) {
				return nil
			}
		}
	}
	if 2*len(w.list) > rows {
		return nil
	}
	inOrder := make([]int32, len(w.list))
	for i := range inOrder {
		inOrder[i] = int32(i)
	}
	slices.SortFunc(inOrder, func(a, b int32) int { return bytes.Compare(w.list[a], w.list[b]) })
	w.place = make([]int32, len(w.list))
	for place, code := range inOrder {
		w.place[code] = int32(place)
	}
	return w
}

// recode puts our codes of some rows into codes; that of a null row is -1. It returns false if there are
// too many words.
func (w *words) recode(column *view, from, to int, codes []int32) bool {
	if dict := column.text.dict; w.dict != dict {
		w.dict, w.seen = dict, slices.Grow(w.seen[:0], dict.Len())[:dict.Len()]
		for i := range w.seen {
			w.seen[i] = -1
		}
	}
	for i, theirs := range column.text.codes[from:to] {
		if column.null(from + i) {
			codes[i] = -1
			continue
		}
		code := w.seen[theirs]
		if code < 0 {
			if code = w.code(column.text.at(from + i)); code < 0 {
				return false
			}
			w.seen[theirs] = code
		}
		codes[i] = code
	}
	return true
}

// code is that of a word, which is added if it is new; -1 if there is no room for it.
func (w *words) code(word []byte) int32 {
	if code, known := w.codes[string(word)]; known {
		return code
	}
	size := arrow.Uint32SizeBytes + len(word)
	if len(w.list) == w.most || w.room <= size {
		return -1
	}
	w.room -= size
	code := int32(len(w.list))
	w.list = append(w.list, append([]byte{}, word...)) // never nil, which statistics take for none
	w.codes[string(word)] = code
	return code
}

// wordRows is how many rows are encoded at a time. Pages end between them: as many as arrow-go takes for a
// batch.
const wordRows = 1024

// A wordEncoder is what arrow-go encodes a dictionary and its codes with. It cannot be named.
type wordEncoder interface {
	PutDictionary(arrow.Array) error
	AddRawSize(int64) // by which it is known when a page is full
}

// write encodes a column, from its first row to its last.
func (w *words) write(ctx context.Context, group *groupRows, column int, into *file.ByteArrayColumnChunkWriter) error {
	encoder, ok := into.CurrentEncoder().(wordEncoder)
	if !ok {
		return errors.New("this encoder has no dictionary")
	}
	if err := w.begin(encoder); err != nil {
		return err
	}
	codes, there := make([]int32, wordRows), make([]int16, wordRows)
	for _, part := range group.parts {
		view := newView(part.chunk.Batch().Column(column))
		for from := int(part.from); from < int(part.to); from += wordRows {
			if err := ctx.Err(); err != nil {
				return err
			}
			n := min(wordRows, int(part.to)-from)
			w.recode(&view, from, from+n, codes) // has all words since wordsOf
			if err := w.batch(codes[:n], there[:n], encoder, into); err != nil {
				return err
			}
		}
	}
	return nil
}

// begin gives the encoder the dictionary.
func (w *words) begin(encoder wordEncoder) error {
	list := array.NewBuilder(memory.DefaultAllocator, arrow.BinaryTypes.Binary).(*array.BinaryBuilder)
	defer list.Release()
	for _, word := range w.list {
		list.Append(word)
	}
	dictionary := list.NewArray()
	defer dictionary.Release()
	return encoder.PutDictionary(dictionary)
}

// batch encodes some rows.
func (w *words) batch(codes []int32, there []int16, encoder wordEncoder, into *file.ByteArrayColumnChunkWriter) error {
	least, most := int32(math.MaxInt32), int32(-1) // places
	var raw, nulls int64
	var first, last int32
	for i, code := range codes {
		if code < 0 {
			there[i], codes[i] = 0, 0
			nulls++
			continue
		}
		there[i] = 1
		raw += int64(arrow.Uint32SizeBytes + len(w.list[code]))
		if place := w.place[code]; place < least {
			least, first = place, code
		}
		if place := w.place[code]; place > most {
			most, last = place, code
		}
	}
	encoder.AddRawSize(raw)
	if known, ok := into.PageStatistics().(*metadata.ByteArrayStatistics); ok {
		known.IncNulls(nulls)
		known.IncNumValues(int64(len(codes)) - nulls)
		if most >= 0 {
			known.SetMinMax(w.list[first], w.list[last])
		}
	}
	indices := codesArray(codes, there, int(nulls))
	defer indices.Release()
	return into.WriteDictIndices(indices, there, nil)
}

// codesArray has codes as Arrow has them. They must not change as long as it is used.
func codesArray(codes []int32, there []int16, nulls int) *array.Int32 {
	var valid *memory.Buffer
	if nulls > 0 {
		bits := make([]byte, bitutil.BytesForBits(int64(len(codes))))
		for i, is := range there {
			if is > 0 {
				bitutil.SetBit(bits, i)
			}
		}
		valid = memory.NewBufferBytes(bits)
	}
	values := memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(codes))
	data := array.NewData(arrow.PrimitiveTypes.Int32, len(codes), []*memory.Buffer{valid, values}, nil, nulls, 0)
	defer data.Release()
	return array.NewInt32Data(data)
}
