package plan

import (
	"errors"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/table"
)

var distinctKind = Kind{
	Name:     "distinct",
	Summary:  "keep the first of the rows that are equal",
	Reads:    One,
	Writes:   One,
	Settings: func() Step { return &distinct{} },
}

type distinct struct {
	By      []At[string] `job:"by" doc:"columns in which rows must be equal, one or a list; all if not given" also:"columns subset keys on"`
	Workers int          `job:"workers,min=1" doc:"how many compute at once; what the job says if not given"`
}

func (d *distinct) settings() table.Distinct {
	s := table.Distinct{Workers: d.Workers}
	for _, column := range d.By {
		s.By = append(s.By, column.Value)
	}
	return s
}

// Schema checks every column on its own first, so that each error has its place.
func (d *distinct) Schema(in []*arrow.Schema) ([]*arrow.Schema, error) {
	var errs []error
	for _, column := range d.By {
		_, err := table.Distinct{By: []string{column.Value}}.Schema(in[0])
		errs = append(errs, column.Wrong(err))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	out, err := d.settings().Schema(in[0])
	if err != nil {
		return nil, err
	}
	return []*arrow.Schema{out}, nil
}

func (d *distinct) Add(to *sluice.Network, at Place) error {
	s := d.settings()
	s.Workers = at.workers(s.Workers)
	to.Node(s.Node(at.Name, at.In[0], at.Out[0]))
	return nil
}
