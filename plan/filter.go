package plan

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/table"
)

var filterKind = Kind{
	Name:     "filter",
	Summary:  "keep the rows for which a condition holds",
	Reads:    One,
	Writes:   One,
	Settings: func() Step { return &filter{} },
}

type filter struct {
	Where At[condition] `job:"where,required" doc:"the condition, such as delay > 60, origin = 'ORD' or delay is not null; a comparison with null does not hold"`
}

func (f *filter) settings() table.Filter {
	c := f.Where.Value
	return table.Filter{Column: c.column.name, Op: c.op, Value: c.value}
}

func (f *filter) Schema(in []*arrow.Schema) ([]*arrow.Schema, error) {
	out, err := f.settings().Schema(in[0])
	if err != nil {
		return nil, f.Where.wrongIn(f.Where.Value.column.offset, err)
	}
	return []*arrow.Schema{out}, nil
}

func (f *filter) Add(to *sluice.Network, at Place) error {
	name, run, in, out := f.settings().Node(at.Name, at.In[0], at.Out[0])
	if at.Unordered {
		out = out.Unordered()
	}
	to.Node(name, run, in, out)
	return nil
}
