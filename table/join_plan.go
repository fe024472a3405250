package table

import (
	"errors"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice/internal/suggest"
)

// A joinPlan is a join for two schemas.
type joinPlan struct {
	kind   JoinKind
	inputs [2]*arrow.Schema
	keys   [2][]int
	forms  [2][]keyForm // how keys of either side are compared; nil where as they are

	schema  *arrow.Schema // of the result
	columns []joinedColumn

	where joinCondition
}

// A joinedColumn is where a column comes from on each side, -1 if it does not. A key that is
// on both sides is taken from whichever row there is.
type joinedColumn [2]int

const noColumn = -1

// compile checks the join for two schemas.
func (j Join) compile(left, right *arrow.Schema) (*joinPlan, error) {
	if err := j.check(); err != nil {
		return nil, err
	}
	kind := j.Kind
	if kind == "" {
		kind = InnerJoin
	}
	if !slices.Contains(joinKinds, string(kind)) {
		return nil, fmt.Errorf("unknown kind of join %q%s", string(kind), suggest.Phrase(string(kind), joinKinds))
	}
	p := &joinPlan{kind: kind, inputs: [2]*arrow.Schema{left, right}}
	for s, schema := range p.inputs {
		if err := supported(schema); err != nil {
			return nil, fmt.Errorf("%v input: %w", side(s), err)
		}
	}
	if err := p.compileKeys(j.On); err != nil {
		return nil, err
	}
	all, columns, err := p.bothSides(j)
	if err != nil {
		return nil, err
	}
	if err := p.compileWhere(j.Where, all, columns); err != nil {
		return nil, err
	}
	p.schema, p.columns = all, columns
	if kind.halves() {
		p.schema, p.columns = plainSchema(left), make([]joinedColumn, left.NumFields())
		for i := range p.columns {
			p.columns[i] = joinedColumn{i, noColumn}
		}
	}
	return p, nil
}

func (p *joinPlan) compileKeys(on []JoinKey) error {
	var errs []error
	for _, key := range on {
		var of [2]int
		missing := false
		for s, name := range [2]string{key.Left, key.Right} {
			var err error
			if of[s], err = columnIndex(p.inputs[s], name); err != nil {
				errs, missing = append(errs, fmt.Errorf("%v input: %w", side(s), err)), true
			}
		}
		if missing {
			continue
		}
		a, b := p.inputs[leftSide].Field(of[leftSide]).Type, p.inputs[rightSide].Field(of[rightSide]).Type
		forms, ok := keyForms(a, b)
		if !ok {
			nameA, nameB := typeNames(a, b)
			errs = append(errs, fmt.Errorf("column %q of the left input is of type %s and %q of the right of type %s, "+
				"which cannot be compared; cast one of them before the join", key.Left, nameA, key.Right, nameB))
			continue
		}
		for s := range of {
			p.keys[s] = append(p.keys[s], of[s])
			p.forms[s] = append(p.forms[s], forms[s])
		}
	}
	return errors.Join(errs...)
}

// bothSides returns the columns of pairs.
func (p *joinPlan) bothSides(j Join) (*arrow.Schema, []joinedColumn, error) {
	left, right := plainSchema(p.inputs[leftSide]), plainSchema(p.inputs[rightSide])
	suffix := j.Suffix
	if suffix == "" {
		suffix = "_right"
	}
	fields := slices.Clone(left.Fields())
	columns := make([]joinedColumn, len(fields))
	for i := range columns {
		columns[i] = joinedColumn{i, noColumn}
		fields[i].Nullable = fields[i].Nullable || p.kind.emits(rightSide)
	}
	merged := make(map[int]bool)
	for i, key := range j.On {
		if !j.Using || key.Left != key.Right {
			continue
		}
		at, other := p.keys[leftSide][i], p.keys[rightSide][i]
		merged[other] = true
		columns[at][rightSide] = other
		a, b := left.Field(at), right.Field(other)
		switch {
		case arrow.TypeEqual(a.Type, b.Type):
			fields[at].Nullable = a.Nullable || b.Nullable
		case p.kind == FullJoin:
			nameA, nameB := typeNames(a.Type, b.Type)
			return nil, nil, fmt.Errorf("column %q is of type %s in the left input and %s in the right: "+
				"to be one column of a full join both must be the same", key.Left, nameA, nameB)
		case p.kind == RightJoin:
			columns[at][leftSide], fields[at] = noColumn, b
		default:
			columns[at][rightSide] = noColumn
		}
	}
	for i, f := range right.Fields() {
		if merged[i] {
			continue
		}
		if _, clash := left.FieldsByName(f.Name); clash {
			f.Name += suffix
		}
		f.Nullable = f.Nullable || p.kind.emits(leftSide)
		fields = append(fields, f)
		columns = append(columns, joinedColumn{noColumn, i})
	}
	seen := make(map[string]bool)
	for _, f := range fields {
		if seen[f.Name] && !p.kind.halves() {
			return nil, nil, fmt.Errorf("two columns of the result would be called %q; choose another suffix "+
				"for columns of the right input whose name is one of the left, or rename one before the join", f.Name)
		}
		seen[f.Name] = true
	}
	return arrow.NewSchema(fields, nil), columns, nil
}
