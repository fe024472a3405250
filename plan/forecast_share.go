package plan

import "github.com/seed14ed4225/sluice/table"

// A share is what a node takes of host memory.
type share struct {
	table.Need
	holds int64 // what it has while it waits for more
}

// share returns what a node takes, and what it writes. rows says which of the candidateRows a scan has.
func (f *forecast) share(n *node, in []table.Flow, room table.Room, rows int) (out table.Flow, has share) {
	var all table.Flow
	for _, from := range in {
		all = all.And(from)
	}
	to := all.Schema
	if len(n.writes) > 0 {
		to = f.schemas[n.writes[0]]
	}
	switch step := n.step.(type) {
	case *scan: // who waits to read a chunk has nothing
		out, has.Need = f.scans[n][rows].In(room, to)
		return out, has
	case *filter:
		out, has.Need = step.settings().Needs(room, all)
	case *project:
		out, has.Need = step.settings().Needs(room, all, to)
	case *limiting:
		out, has.Need = step.settings().Needs(room, all)
	case *broadcast:
		out = all
		has.Takes = all.Chunk * int64(len(n.writes)-1)
	case *union:
		out = all.As(to)
	case *sorting:
		out, has.Need = step.settings().Needs(room, all)
	case *aggregate:
		out, has.Need = step.settings().Needs(room, all, to)
	case *distinct:
		out, has.Need = step.settings().Needs(room, all)
	case *joining:
		out, has.Need = step.settings().Needs(room, in[0], in[1], to)
	case *writing:
		has.Need = step.settings().Needs(room, all)
	case *printing:
	default: // a kind of somebody else's
		if len(n.writes) > 0 && len(in) > 0 {
			out = all.As(to)
			has.Takes = out.Chunk
		}
	}
	has.holds = max(all.Chunk, min(room.Made(), all.All)) // if workers have more than one, they are small
	return out, has
}
