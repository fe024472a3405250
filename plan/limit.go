package plan

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/table"
)

var limitKind = Kind{
	Name:     "limit",
	Summary:  "keep the first rows, in order, and stop what feeds it when there are enough",
	Reads:    One,
	Writes:   One,
	Settings: func() Step { return &limiting{} },
}

type limiting struct {
	Rows   int `job:"rows,min=1" doc:"most rows to keep; all after the offset if not given" also:"limit n count first top"`
	Offset int `job:"offset,min=0" doc:"how many rows to leave out before; none if not given" also:"skip"`
}

func (l *limiting) settings() table.Limit {
	return table.Limit{Rows: int64(l.Rows), Offset: int64(l.Offset)}
}

func (l *limiting) Schema(in []*arrow.Schema) ([]*arrow.Schema, error) {
	out, err := l.settings().Schema(in[0])
	return []*arrow.Schema{out}, err
}

func (l *limiting) Add(to *sluice.Network, at Place) error {
	at.pass(to)(l.settings().Node(at.Name, at.In[0], at.Out[0]))
	return nil
}
