package plan

import (
	"errors"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/table"
)

var projectKind = Kind{
	Name:     "project",
	Summary:  "choose columns and compute new ones, row by row, in order",
	Reads:    One,
	Writes:   One,
	Settings: func() Step { return &project{} },
}

type project struct {
	Columns []At[string]        `job:"columns" doc:"columns to keep, one or a list, in this order; \"*\" stands for all that are not computed anew; none if not given" also:"select keep fields"`
	Compute Mapping[expression] `job:"compute" doc:"names of new columns, each with its value, an expression of columns of the input, such as {hours: delay / 60.0}" also:"expressions expr new add with"`
	Workers int                 `job:"workers,min=1" doc:"how many chunks are worked on at once; what the job says if not given"`
}

func (p *project) settings() table.Project {
	s := table.Project{Columns: values(p.Columns), Workers: p.Workers}
	for _, c := range p.Compute {
		s.Compute = append(s.Compute, table.Computed{As: c.Name.Value, Expr: c.Value.Value.text})
	}
	return s
}

func (p *project) expressions() (all []At[expression]) {
	for _, c := range p.Compute {
		all = append(all, c.Value)
	}
	return all
}

// Schema checks every column on its own first, so that each error has its place.
func (p *project) Schema(in []*arrow.Schema) ([]*arrow.Schema, error) {
	whole := p.settings()
	var errs []error
	for i, column := range p.Columns {
		_, err := table.Project{Columns: whole.Columns[i : i+1]}.Schema(in[0])
		errs = append(errs, column.Wrong(err))
	}
	for i, c := range p.Compute {
		_, err := table.Project{Compute: whole.Compute[i : i+1]}.Schema(in[0])
		errs = append(errs, c.Value.wrongExpr(err))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	out, err := whole.Schema(in[0])
	if err != nil {
		return nil, p.clash(err)
	}
	return []*arrow.Schema{out}, nil
}

// clash finds the setting that an error of columns beside each other is about.
func (p *project) clash(err error) error {
	var wrong *table.ComputeError
	if errors.As(err, &wrong) {
		return p.Compute[wrong.Index].Name.Wrong(err)
	}
	if len(p.Columns) > 0 {
		return p.Columns[0].Wrong(err)
	}
	return err
}

func (p *project) Add(to *sluice.Network, at Place) error {
	s := p.settings()
	s.Workers = at.workers(s.Workers)
	at.pass(to)(s.Node(at.Name, at.In[0], at.Out[0]))
	return nil
}
