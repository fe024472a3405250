package plan

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/table"
)

var filterKind = Kind{
	Name:     "filter",
	Summary:  "keep the rows for which a condition is true, in order",
	Reads:    One,
	Writes:   One,
	Settings: func() Step { return &filter{} },
}

type filter struct {
	Where   At[expression] `job:"where,required" doc:"the condition, an expression such as delay > 60 and origin in ('ORD', 'SFO'); a comparison with null is not true" also:"condition if filter expr predicate"`
	Workers int            `job:"workers,min=1" doc:"how many chunks are worked on at once; what the job says if not given"`
}

func (f *filter) settings() table.Filter {
	return table.Filter{Where: f.Where.Value.text, Workers: f.Workers}
}

func (f *filter) expressions() []At[expression] { return []At[expression]{f.Where} }

func (f *filter) Schema(in []*arrow.Schema) ([]*arrow.Schema, error) {
	out, err := f.settings().Schema(in[0])
	if err != nil {
		return nil, f.Where.wrongExpr(err)
	}
	return []*arrow.Schema{out}, nil
}

func (f *filter) Add(to *sluice.Network, at Place) error {
	s := f.settings()
	s.Workers = at.workers(s.Workers)
	at.pass(to)(s.Node(at.Name, at.In[0], at.Out[0]))
	return nil
}
