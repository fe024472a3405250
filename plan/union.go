package plan

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/table"
)

var unionKind = Kind{
	Name:     "union",
	Summary:  "put together the rows of several inputs with the same columns, as they come: in: [a, b]",
	Reads:    Ports{2, mostPorts},
	Writes:   One,
	Settings: func() Step { return &union{} },
}

// mostPorts bounds what one node reads, or writes: as many as there could be channels.
const mostPorts = 1 << 20

type union struct{}

func (u *union) Schema(in []*arrow.Schema) ([]*arrow.Schema, error) {
	out, err := table.Union{}.Schema(in...)
	if err != nil {
		return nil, err
	}
	return []*arrow.Schema{out}, nil
}

func (u *union) Add(to *sluice.Network, at Place) error {
	to.Node(table.Union{}.Node(at.Name, at.In, at.Out[0]))
	return nil
}

// mixes says that what the node writes has numbers in any order.
func (u *union) mixes() bool { return true }
