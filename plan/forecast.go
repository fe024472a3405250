package plan

import (
	"cmp"
	"context"
	"runtime"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice/table"
)

// A forecast tells from a job and the metadata of its files how much host memory would do for it. It is made when a
// limit has turned out to be too small: the step that failed knows what it lacked itself, and nothing of the steps
// behind it, which would fail next.
//
// It is an estimate. What a scan takes for a chunk is exact; what nodes make of it is taken to be as long as what
// came in. It is meant to be too much rather than too little, and by less than twice.
type forecast struct {
	job     *Job
	spills  bool // whether there is a disk to spill to
	schemas map[*channel]*arrow.Schema
	scans   map[*node][]table.ScanNeed // for each of candidateRows
	phases  [][]half                   // what runs at the same time
}

// candidateRows are the rows of a chunk that are looked at: as the job says, and some that may be suggested.
var candidateRows = []int{0, 32 << 10, 16 << 10, 8 << 10, 4 << 10, 2 << 10, 1 << 10, 512, 256}

// forecast looks at the files of the job again; false if that cannot be.
func (j *Job) forecast() (*forecast, bool) {
	f := &forecast{job: j, schemas: make(map[*channel]*arrow.Schema), scans: make(map[*node][]table.ScanNeed)}
	for _, n := range j.order {
		var in []*arrow.Schema
		for _, c := range n.reads {
			in = append(in, f.schemas[c])
		}
		if s, ok := n.step.(*scan); ok {
			settings := s.settings()
			if slices.Contains(settings.Files, table.StandardStream) {
				return nil, false // whose beginning has gone
			}
			if !settings.IsCSV() {
				settings.Prune = conditionBehind(n)
			}
			needs, err := settings.Needs(context.Background(), candidateRows...)
			if err != nil {
				return nil, false
			}
			f.scans[n] = needs
		}
		out, err := n.step.Schema(in)
		if err != nil || len(out) == 0 && len(n.writes) > 0 {
			return nil, false
		}
		for i, c := range n.writes {
			f.schemas[c] = out[min(i, len(out)-1)]
		}
	}
	f.phases = j.phases()
	return f, true
}

// enough returns a limit of host memory, no less than so many bytes, that is likely to do; 0 if none is found.
func (f *forecast) enough(least int64) int64 {
	for limit := int64(handy(max(least, smallestHost))); limit < 1<<60; limit = int64(handy(limit + 1)) {
		if f.fits(limit, nil, 0) {
			return limit
		}
	}
	return 0
}

// fewerRows returns how many rows a chunk of a scan may have in a limit; 0 if that is no fewer than they are, or none
// are so few.
func (f *forecast) fewerRows(of *node, limit int64) int {
	needs := f.scans[of]
	for i := 1; i < len(needs); i++ {
		if needs[i].Rows < needs[0].Rows && f.fits(limit, of, i) {
			return candidateRows[i]
		}
	}
	return 0
}

// read returns the bytes of all rows that are read.
func (f *forecast) read() (bytes int64) {
	for _, needs := range f.scans {
		bytes += needs[0].All
	}
	return bytes
}

// fits reports whether the job has enough with a limit, if a scan has those of the candidateRows.
func (f *forecast) fits(limit int64, other *node, rows int) bool {
	shares := make(map[half][]share)
	flows := make(map[*channel]table.Flow)
	room := table.Room{Limit: limit, Spills: f.spills}
	var ahead int64 // what scans read ahead of nodes that need memory themselves
	for _, n := range f.job.order {
		var in []table.Flow
		for _, c := range n.reads {
			in = append(in, flows[c])
		}
		at := 0
		if n == other {
			at = rows
		}
		out, has := f.share(n, in, room, at)
		front := half{node: n}
		shares[front] = append(shares[front], has)
		if f.spills {
			for _, from := range in { // what it receives may have to be brought back first
				shares[front] = append(shares[front], share{Need: table.Need{Takes: from.Chunk}})
			}
		}
		if blocks(n) {
			gives := half{n, true}
			shares[gives] = append(shares[gives], share{Need: table.Need{Keeps: has.Keeps, Takes: room.Made()}})
		}
		if s, ok := n.step.(*scan); ok {
			ahead += min(f.job.tickets(s)*out.Chunk, out.All)
		}
		for _, c := range n.writes {
			flows[c] = flows[c].And(out)
		}
	}
	for _, phase := range f.phases {
		var kept, most int64
		var all []share
		for _, h := range phase {
			for _, s := range shares[h] {
				kept += s.Keeps
				all = append(all, s)
				if _, ok := h.node.step.(*scan); !ok {
					most = max(most, s.Takes)
				}
			}
		}
		if !f.spills && most > limit/setAside {
			kept += ahead
		}
		if kept > limit || together(all) > limit-kept {
			return false
		}
	}
	return true
}

// setAside is the part of a limit that is never taken by who is not alone, so that there is so much for the nodes
// that scans read ahead of.
const setAside = 8

// tickets is how many chunks of a scan there are at a time.
func (j *Job) tickets(s *scan) int64 {
	return int64(cmp.Or(s.Tickets, 2*cmp.Or(j.workers, runtime.GOMAXPROCS(0))))
}

// together returns what has to be there for somebody to get on, whoever waits. If some nodes wait, each has what it
// holds, and the one that needs least has to get it. So the worst are those that take as much as some node, or more.
func together(shares []share) (worst int64) {
	shares = slices.Clone(shares)
	slices.SortStableFunc(shares, func(a, b share) int { return -cmp.Compare(a.Takes, b.Takes) })
	var held int64
	for _, s := range shares {
		if s.Takes == 0 { // it gets on without
			break
		}
		held += s.holds
		worst = max(worst, held+s.Takes)
	}
	return worst
}
