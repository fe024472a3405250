package plan

// The parts of a limit that the nodes of package table take: see its budgets.
const (
	heldPart  = 4   // of groups, and of rows that are sorted
	chunkPart = 16  // of a chunk that a node makes up itself
	blockPart = 128 // of a block of CSV
)

// share returns what a node takes in a limit, and what it writes.
func (f *forecast) share(n *node, in []flow, limit int64, rows int) (out flow, has share) {
	var largest flow
	for _, from := range in {
		largest.chunk, largest.rows, largest.all = max(largest.chunk, from.chunk), max(largest.rows, from.rows), largest.all+from.all
	}
	if len(n.writes) > 0 {
		out.schema = f.schemas[n.writes[0]]
	}
	like := func() flow { // a flow of the columns that the node writes
		if len(in) == 0 {
			return out
		}
		return in[0].as(out.schema)
	}
	has.holds = max(largest.chunk, min(limit/chunkPart, largest.all)) // if workers have more than one, they are small
	switch step := n.step.(type) {
	case *scan:
		return f.scanShare(n, limit, rows)
	case *filter:
		out = like()
		out.chunk, out.rows, out.all = out.chunk/2, (out.rows+1)/2, out.all/2 // somewhere between nothing and everything
		has.takes = out.chunk
	case *project:
		out = like()
		has.takes = out.chunk
	case *limiting:
		out = like()
		has.takes = min(out.chunk, out.chunk/max(1, out.rows)*int64(step.Rows+1))
	case *broadcast:
		out = like()
		has.takes = out.chunk * int64(len(n.writes)-1)
	case *union:
		out = like()
	case *sorting:
		return f.sortShare(step, largest, like(), limit, has)
	case *aggregate, *distinct:
		out = like().cut(limit / chunkPart)
		out.all /= 4 // somewhere between one group and as many as rows
		has.keeps = limit / heldPart
		has.takes = limit / chunkPart
	case *joining:
		out = like().cut(limit / chunkPart)
		has.keeps, has.takes = limit/chunkPart, 2*largest.chunk+limit/chunkPart
		if !f.spills {
			has.keeps += largest.all + largest.all/3 // with a table of half of it
		}
	case *writing:
		w := step.settings()
		has.keeps = w.Reserves(limit)
		if w.IsParquet() {
			has.keeps += largest.chunk // some of its rows are in the next row group
		}
	case *printing:
	default: // a kind of somebody else's
		if len(n.writes) > 0 {
			out = like()
			has.takes = out.chunk
		}
	}
	return out, has
}

// scanShare is of reading a chunk: who waits for that has nothing. What blocks of CSV are is a part of the limit.
func (f *forecast) scanShare(n *node, limit int64, rows int) (out flow, has share) {
	out.schema = f.schemas[n.writes[0]]
	need := f.scans[n][rows]
	out.rows, out.chunk, out.all, has.takes = need.Rows, need.Chunk, need.All, need.Read
	if need.Read == 0 {
		const leastBlock, mostBlock, made = 4 << 10, 1 << 20, 5 // a block, and how many times as much is made of it
		block := min(max(limit/blockPart, leastBlock), mostBlock)
		bits, texts := rowBits(out.schema)
		out.chunk, has.takes, has.keeps = made*block, (made+1)*block, 2*block
		out.rows = out.chunk * 8 / max(1, bits+64*texts)
	}
	return out, has
}

// sortShare is of the rows that are collected, or, with a limit, of chunks that have one of the first rows.
func (f *forecast) sortShare(step *sorting, in, out flow, limit int64, has share) (flow, share) {
	const withRow, kept, withTop = 56, 16, 32 // bytes that go with a row: that is put in order, that waits for it, that is one of the first
	rows := in.rows
	if step.Limit == 0 {
		if most := limit / heldPart / 2 / withRow; rows > most {
			rows = max(1, most)
		}
		has.takes = rows*withRow + in.chunk*rows/max(1, in.rows)
		has.keeps = limit / heldPart
	} else {
		has.takes = rows * withTop
		has.keeps = min(limit/heldPart, in.chunk+has.takes)
	}
	out = out.cut(limit / chunkPart)
	switch {
	case f.spills || in.all == 0:
	case step.Limit == 0:
		has.keeps = in.all + in.all/max(1, in.chunk/max(1, in.rows))*kept + limit/chunkPart
	default:
		out.all = min(out.all, out.chunk/max(1, out.rows)*int64(step.Limit+1))
	}
	return out, has
}
