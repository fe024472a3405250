package table

import (
	"context"
	"errors"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// A place is where a row is: in which of several batches, and where in that.
type place struct{ batch, row uint32 }

var errTooMuchText = errors.New("more than 2 GiB of text in one chunk, which 32-bit offsets cannot address")

// gather makes an array of typ from the rows at the given places of a column,
// whose parts in the several batches are given. With a dictionary as typ there is
// one batch; its dictionary is shared, but copied where memory is counted, so that the
// chunk can be spilled. Otherwise dictionaries are decoded.
//
// gatherBytes says beforehand how much memory that takes. text is what textAt says.
func gather(mem memory.Allocator, typ arrow.DataType, from []view, places []place, text int64) (arrow.Array, error) {
	switch layout, _ := layoutOf(typ); layout {
	case layoutBool:
		return gatherBool(mem, from, places), nil
	case layoutInt8, layoutUint8:
		return gatherFixed[uint8](mem, typ, from, places), nil
	case layoutInt16, layoutUint16:
		return gatherFixed[uint16](mem, typ, from, places), nil
	case layoutInt32, layoutUint32, layoutFloat32:
		return gatherFixed[uint32](mem, typ, from, places), nil
	case layoutInt64, layoutUint64, layoutFloat64:
		return gatherFixed[uint64](mem, typ, from, places), nil
	case layoutDecimal:
		return gatherFixed[decimal128.Num](mem, typ, from, places), nil
	case layoutNull:
		return array.NewNull(len(places)), nil
	default:
		if coded, ok := typ.(*arrow.DictionaryType); ok {
			return gatherCodes(mem, coded, from[0], places)
		}
		return gatherText(mem, typ, from, places, text)
	}
}

func gatherFixed[T uint8 | uint16 | uint32 | uint64 | decimal128.Num](
	mem memory.Allocator, typ arrow.DataType, from []view, places []place,
) arrow.Array {
	values := make([][]T, len(from))
	for i := range from {
		if from[i].array != nil { // of a batch that is still there
			values[i] = fixed[T](from[i].array)
		}
	}
	buf := newBuffer[T](mem, len(places))
	dst := arrow.GetData[T](buf.Bytes())
	if len(values) == 1 {
		for i, p := range places {
			dst[i] = values[0][p.row]
		}
	} else {
		for i, p := range places {
			dst[i] = values[p.batch][p.row]
		}
	}
	valid, nulls := gatherValid(mem, from, places)
	return newArray(typ, len(places), nulls, valid, buf)
}

func gatherBool(mem memory.Allocator, from []view, places []place) arrow.Array {
	buf := newBits(mem, len(places))
	bits := buf.Bytes()
	for i, p := range places {
		if from[p.batch].bitAt(int(p.row)) {
			bitutil.SetBit(bits, i)
		}
	}
	valid, nulls := gatherValid(mem, from, places)
	return newArray(arrow.FixedWidthTypes.Boolean, len(places), nulls, valid, buf)
}

func gatherText(mem memory.Allocator, typ arrow.DataType, from []view, places []place, size int64) (arrow.Array, error) {
	if size > math.MaxInt32 {
		return nil, errTooMuchText
	}
	offsets, values := newBuffer[int32](mem, len(places)+1), newBuffer[uint8](mem, int(size))
	ends, dst := arrow.GetData[int32](offsets.Bytes()), values.Bytes()
	end := int32(0)
	ends[0] = 0
	for i, p := range places {
		if v := &from[p.batch]; !v.null(int(p.row)) {
			end += int32(copy(dst[end:], v.text.at(int(p.row))))
		}
		ends[i+1] = end
	}
	valid, nulls := gatherValid(mem, from, places)
	return newArray(typ, len(places), nulls, valid, offsets, values), nil
}

func gatherCodes(mem memory.Allocator, typ *arrow.DictionaryType, from view, places []place) (arrow.Array, error) {
	codes := newView(from.array.(*array.Dictionary).Indices())
	indices, err := gather(mem, typ.IndexType, []view{codes}, places, 0)
	if err != nil {
		return nil, err
	}
	defer indices.Release()
	dictionary := from.text.dict.(*array.Data)
	if own, ok := mem.(*Allocator); ok && own.counts() {
		dictionary = copyData(mem, dictionary)
		defer dictionary.Release()
	}
	codesData := indices.Data()
	data := array.NewDataWithDictionary(
		typ, codesData.Len(), codesData.Buffers(), codesData.NullN(), codesData.Offset(), dictionary)
	defer data.Release()
	return array.MakeFromData(data), nil
}

func gatherValid(mem memory.Allocator, from []view, places []place) (valid *memory.Buffer, nulls int) {
	if !nullable(from) {
		return nil, 0
	}
	valid = newBits(mem, len(places))
	bits := valid.Bytes()
	for i, p := range places {
		if from[p.batch].null(int(p.row)) {
			nulls++
		} else {
			bitutil.SetBit(bits, i)
		}
	}
	return valid, nulls
}

func nullable(from []view) bool {
	return slices.ContainsFunc(from, func(v view) bool { return v.valid != nil })
}

// gatherBatch makes a batch of the rows at the given places. columns are the
// columns of the schema in each batch: columns[c][b] is column c in batch b. texts are what
// textAt says of each.
func gatherBatch(
	mem memory.Allocator, schema *arrow.Schema, columns [][]view, places []place, texts []int64,
) (arrow.RecordBatch, error) {
	made := make([]arrow.Array, 0, len(columns))
	defer func() {
		for _, a := range made {
			a.Release()
		}
	}()
	for i, from := range columns {
		a, err := gather(mem, schema.Field(i).Type, from, places, texts[i])
		if err != nil {
			return nil, err
		}
		made = append(made, a)
	}
	return array.NewRecordBatch(schema, made, int64(len(places))), nil
}

// emptyBatch returns a batch without rows, which tells the schema. It takes next to no memory, and
// reserves none.
func emptyBatch(ctx context.Context, schema *arrow.Schema) arrow.RecordBatch {
	builder := array.NewRecordBuilder(allocator(ctx), schema)
	defer builder.Release()
	return builder.NewRecordBatch()
}

// newBuffer returns a buffer for n values of T, uninitialised.
func newBuffer[T arrow.FixedWidthType](mem memory.Allocator, n int) *memory.Buffer {
	var value [1]T
	buf := memory.NewResizableBuffer(mem)
	buf.Resize(n * len(arrow.GetBytes(value[:])))
	return buf
}

// newBits returns a buffer for n bits, all clear.
func newBits(mem memory.Allocator, n int) *memory.Buffer {
	buf := newBuffer[uint8](mem, int(bitutil.BytesForBits(int64(n))))
	clear(buf.Bytes())
	return buf
}

// newArray makes an array that takes over the buffers; the first, the bitmap, may
// be nil.
func newArray(typ arrow.DataType, rows, nulls int, buffers ...*memory.Buffer) arrow.Array {
	data := array.NewData(typ, rows, buffers, nil, nulls, 0)
	defer data.Release()
	for _, b := range buffers {
		if b != nil {
			b.Release()
		}
	}
	return array.MakeFromData(data)
}
