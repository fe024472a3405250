package plan

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/ops"
)

var broadcastKind = Kind{
	Name:     "broadcast",
	Summary:  "give all rows to each of several outputs, in order: out: [a, b]",
	Reads:    One,
	Writes:   Ports{2, mostPorts},
	Settings: func() Step { return &broadcast{} },
}

// A broadcast keeps its outputs in step. It needs no backlog, because no kind that has several
// inputs takes one of them to its end before it looks at another: whatever one branch makes wait, the
// others are read on. Such a kind, if one were added, would stop its job behind a broadcast.
type broadcast struct{}

// Schema returns one schema, which is that of all outputs.
func (b *broadcast) Schema(in []*arrow.Schema) ([]*arrow.Schema, error) { return in, nil }

func (b *broadcast) Add(to *sluice.Network, at Place) error {
	name, run, _, out := ops.Broadcast(at.Name, at.In[0], at.Out)
	at.pass(to)(name, run, sluice.Reads(at.In...).At(mem.Host), out) // where a chunk can be copied
	return nil
}
