package table

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/seed14ed4225/sluice/mem"
)

// parted is the columns of partitions that are being made.
type parted struct {
	mem     []*Allocator // of each partition, which becomes a chunk of its own
	rows    []int
	columns [][]arrow.Array // columns[p][c] is column c of partition p; nil until it is made
}

func newParted(ctx context.Context, res *mem.Reservation, rows []int, columns int) *parted {
	p := &parted{mem: make([]*Allocator, len(rows)), rows: rows, columns: make([][]arrow.Array, len(rows))}
	all := make([]arrow.Array, len(rows)*columns)
	for i := range rows {
		p.mem[i] = newAllocator(ctx, res)
		p.columns[i] = all[i*columns:][:columns]
	}
	return p
}

func (p *parted) release() {
	for _, columns := range p.columns {
		for _, a := range columns {
			if a != nil {
				a.Release()
			}
		}
	}
}

// scatter makes a column of all partitions, if its values are of a fixed width and none is null. of is the
// partition of each row.
//
// gather would do, one partition after the other, but then each goes through all rows, and most of what is brought into the
// processor's cache for one has left it when the next comes. Here rows are read once, in order, and there
// are few enough places where they are written.
func (p *parted) scatter(c int, typ arrow.DataType, from []view, of []uint16) bool {
	if nullable(from) {
		return false
	}
	switch layout, _ := layoutOf(typ); layout {
	case layoutInt8, layoutUint8:
		scatterFixed[uint8](p, c, typ, from, of)
	case layoutInt16, layoutUint16:
		scatterFixed[uint16](p, c, typ, from, of)
	case layoutInt32, layoutUint32, layoutFloat32:
		scatterFixed[uint32](p, c, typ, from, of)
	case layoutInt64, layoutUint64, layoutFloat64:
		scatterFixed[uint64](p, c, typ, from, of)
	case layoutDecimal:
		scatterFixed[decimal128.Num](p, c, typ, from, of)
	default:
		return false
	}
	return true
}

func scatterFixed[T uint8 | uint16 | uint32 | uint64 | decimal128.Num](
	p *parted, c int, typ arrow.DataType, from []view, of []uint16,
) {
	buffers := make([]*memory.Buffer, len(p.rows))
	into := make([][]T, len(p.rows))
	for part, n := range p.rows {
		if n > 0 {
			buffers[part] = newBuffer[T](p.mem[part], n)
			into[part] = arrow.GetData[T](buffers[part].Bytes())
		}
	}
	next := make([]int, len(p.rows))
	for i := range from {
		values := fixed[T](from[i].array)
		parts := of[:len(values)]
		of = of[len(values):]
		for row, value := range values {
			part := parts[row]
			into[part][next[part]] = value
			next[part]++
		}
	}
	for part, n := range p.rows {
		if n > 0 {
			p.columns[part][c] = newArray(typ, n, 0, nil, buffers[part])
		}
	}
}
