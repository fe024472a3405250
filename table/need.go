package table

import (
	"github.com/apache/arrow-go/v18/arrow"
)

// What operators take of host memory can be told beforehand, roughly, which is how a job whose limit is too small
// finds one that does. The parts of a limit are the budget's.

// A Flow is what goes through a channel, as far as that is known before a job runs. What it does not know is 0.
type Flow struct {
	Schema *arrow.Schema
	Rows   int64 // of the largest chunk
	Chunk  int64 // bytes of the largest chunk
	All    int64 // bytes of all chunks together
}

// A Room is the host memory that operators run in.
type Room struct {
	Limit  int64 // bytes
	Spills bool  // whether what waits can go to disk
}

// A Need is what an operator takes of a [Room], in bytes, beside the chunks that it has received.
type Need struct {
	Keeps int64 // what it has, and cannot be spilled, whatever it waits for
	Takes int64 // the most that it waits for at once
}

// Made is the most bytes of a chunk that an operator makes up itself.
func (r Room) Made() int64 { return r.budget().chunk() }

// And returns the flow of a channel in which g goes as well.
func (f Flow) And(g Flow) Flow {
	return Flow{Schema: g.Schema, Rows: max(f.Rows, g.Rows), Chunk: max(f.Chunk, g.Chunk), All: f.All + g.All}
}

// As returns the flow with other columns. Text is taken to be as long as it was, since nothing more is known.
func (f Flow) As(schema *arrow.Schema) Flow {
	before, texts := rowBits(f.Schema)
	var text int64 // bits of each
	if texts > 0 {
		text = max(0, 8*f.Chunk/max(1, f.Rows)-before) / texts
	}
	after, texts := rowBits(schema)
	scale := func(bytes int64) int64 {
		return int64(float64(bytes) * float64(after+texts*text) / float64(max(1, 8*f.Chunk/max(1, f.Rows))))
	}
	return Flow{Schema: schema, Rows: f.Rows, Chunk: scale(f.Chunk), All: scale(f.All)}
}

// row returns the bytes of a row, or somewhat less.
func (f Flow) row() int64 { return f.Chunk / max(1, f.Rows) }

// made returns the flow in chunks that an operator makes up itself.
func (f Flow) made(in Room) Flow {
	if most := in.Made(); f.Chunk > most {
		f.Rows = max(1, f.Rows*most/f.Chunk)
		f.Chunk = most
	}
	return f
}

func (r Room) budget() budget { return budget{limit: r.Limit} }

// Needs tells what a filter takes of rows that come so, and what it makes of them: half of them, which is somewhere
// between nothing and everything.
func (f Filter) Needs(_ Room, in Flow) (Flow, Need) {
	out := in
	out.Chunk, out.Rows, out.All = out.Chunk/2, (out.Rows+1)/2, out.All/2
	return out, Need{Takes: out.Chunk}
}

// Needs tells what a projection to the columns of a schema takes of rows that come so, and what it makes of them.
func (p Project) Needs(_ Room, in Flow, to *arrow.Schema) (Flow, Need) {
	out := in.As(to)
	return out, Need{Takes: out.Chunk}
}

// Needs tells what a limit takes of rows that come so, and what it lets through.
func (l Limit) Needs(_ Room, in Flow) (Flow, Need) {
	return in, Need{Takes: min(in.Chunk, in.row()*(l.Rows+1))}
}

// Needs tells what an aggregate to the columns of a schema takes of rows that come so, and what it makes of them: a
// quarter, which is somewhere between one group and as many as there are rows.
func (a Aggregate) Needs(room Room, in Flow, to *arrow.Schema) (Flow, Need) {
	out := in.As(to).made(room)
	out.All /= 4
	return out, Need{Keeps: room.budget().held(), Takes: room.Made()}
}

// Needs tells what a distinct takes of rows that come so, and what it makes of them, as an aggregate does.
func (d Distinct) Needs(room Room, in Flow) (Flow, Need) {
	return Aggregate{}.Needs(room, in, in.Schema)
}

// Needs tells what a join to the columns of a schema takes of rows that come so, and what it makes of them: as many as
// come from the left.
func (j Join) Needs(room Room, left, right Flow, to *arrow.Schema) (Flow, Need) {
	both, most := left.And(right), room.Made()
	need := Need{Keeps: most, Takes: 2*both.Chunk + most}
	if !room.Spills {
		need.Keeps += both.All + both.All/3 // with a table of half of it
	}
	return left.As(to).made(room), need
}

// Needs tells what a sort takes of rows that come so, and what it makes of them: of all that it collects for a run, or, with a
// limit, of chunks that have one of the first rows.
func (s Sort) Needs(room Room, in Flow) (Flow, Need) {
	out, held := in.made(room), room.budget().held()
	if s.Limit > 0 {
		need := Need{Takes: in.Rows * topRow}
		need.Keeps = min(held, in.Chunk+need.Takes)
		if !room.Spills && in.All > 0 {
			out.All = min(out.All, out.row()*int64(s.Limit+1))
		}
		return out, need
	}
	rows := in.Rows
	if most := held / 2 / (keptRow + spaceRow); rows > most {
		rows = max(1, most)
	}
	need := Need{Keeps: held, Takes: rows*(keptRow+spaceRow) + in.Chunk*rows/max(1, in.Rows)}
	if !room.Spills && in.All > 0 {
		need.Keeps = in.All + in.All/max(1, in.row())*keptRow + room.Made()
	}
	return out, need
}

// Needs tells what a write takes of rows that come so, before it has a second worker: nothing if its settings make no
// sense.
func (w Write) Needs(room Room, in Flow) Need {
	p, err := w.settled()
	switch {
	case err != nil:
		return Need{}
	case p.Format == FormatParquet: // some rows of a chunk are in the next row group
		return Need{Keeps: room.Limit/8 + encodingBytes(pageBytes(room.Limit), p.Codec) + in.Chunk}
	default:
		return Need{Keeps: codecBytes(p.Codec)}
	}
}

// rowBits returns the bits of a row without text, and the columns of text.
func rowBits(schema *arrow.Schema) (bits, texts int64) {
	for _, field := range schema.Fields() {
		switch typ := field.Type.(type) {
		case *arrow.DictionaryType:
			bits += int64(typ.IndexType.(arrow.FixedWidthDataType).BitWidth())
		case arrow.FixedWidthDataType:
			bits += int64(typ.BitWidth())
		default:
			bits += 32
			texts++
		}
		if field.Nullable {
			bits++
		}
	}
	return bits, texts
}
