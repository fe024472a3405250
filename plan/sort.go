package plan

import (
	"errors"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/table"
)

var sortKind = Kind{
	Name:     "sort",
	Summary:  "put rows in order, and keep the first of them if there is a limit",
	Reads:    One,
	Writes:   One,
	Settings: func() Step { return &sorting{} },
}

type sorting struct {
	By      []At[sortKey] `job:"by,required" doc:"column to sort by, or a list of them: column [asc|desc] [nulls first|last], asc and nulls last if not said" also:"keys order_by order columns on"`
	Limit   int           `job:"limit,min=1" doc:"most rows to keep; all if not given" also:"top rows n"`
	Workers int           `job:"workers,min=1" doc:"how many put rows in order at once; what the job says if not given"`
}

// A sortKey is a column with a direction: "flights desc nulls last".
type sortKey struct {
	column     columnName
	descending bool
	nulls      table.Nulls
}

// UnmarshalText reads a key; its errors know the character they are about.
func (k *sortKey) UnmarshalText(text []byte) error {
	p, err := newPhrase(string(text))
	if err != nil {
		return err
	}
	column, err := p.column()
	if err != nil {
		return err
	}
	*k = sortKey{column: column}
	if !p.accept("asc") {
		k.descending = p.accept("desc")
	}
	if p.accept("nulls") {
		switch w := p.take(); {
		case w.is("first"):
			k.nulls = table.NullsFirst
		case w.is("last"):
			k.nulls = table.NullsLast
		default:
			return expectedWord("first or last", w)
		}
	}
	if w := p.peek(); w.kind != end {
		return expectedWord("asc, desc, nulls first or nulls last after the column", w)
	}
	return nil
}

func (s *sorting) settings() table.Sort {
	keys := make([]table.SortKey, len(s.By))
	for i, key := range s.By {
		keys[i] = table.SortKey{Column: key.Value.column.name, Descending: key.Value.descending, Nulls: key.Value.nulls}
	}
	return table.Sort{By: keys, Limit: s.Limit, Workers: s.Workers}
}

// Schema checks every key on its own first, so that each error has its place.
func (s *sorting) Schema(in []*arrow.Schema) ([]*arrow.Schema, error) {
	whole := s.settings()
	var errs []error
	for i, key := range s.By {
		_, err := table.Sort{By: whole.By[i : i+1]}.Schema(in[0])
		errs = append(errs, key.wrongIn(key.Value.column.offset, err))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	out, err := whole.Schema(in[0])
	if err != nil {
		return nil, err
	}
	return []*arrow.Schema{out}, nil
}

func (s *sorting) Add(to *sluice.Network, at Place) error {
	sort := s.settings()
	sort.Workers = at.workers(sort.Workers)
	to.Node(sort.Node(at.Name, at.In[0], at.Out[0]))
	return nil
}
