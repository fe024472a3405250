package table

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice/table/expr"
)

// A joinCondition is the condition of a join, taken apart where and joins its parts. What refers to
// one input only is looked at when a row comes, see sieve, once instead of for each row of
// the other input that has the same keys. Only what refers to both is left for the pairs.
//
// A row of which its own part is false or null matches nothing, whatever else there is in the
// condition, and though that might have been an error. But there must not be errors that the
// condition as a whole would not have: where a row has no value for its own part, the pairs that it is in may
// never have come about, or something before may have stood on guard. So such a row is undecided: it stays, and
// from then on the whole condition is asked for pairs.
//
// Without a condition all is nil.
type joinCondition struct {
	own   [2]*ownCondition
	cross *pairCondition
	whole *pairCondition
}

// An ownCondition is what a condition says about the rows of one input.
type ownCondition struct {
	program *expr.Program
	schema  *arrow.Schema // the columns that it reads, called as in the condition
	columns []int         // where they are in the input
}

// A pairCondition is what a condition says about pairs of rows.
type pairCondition struct {
	program *expr.Program
	schema  *arrow.Schema // the columns that it reads
	columns []joinedColumn
}

// compileWhere compiles the condition, over the columns of pairs.
func (p *joinPlan) compileWhere(text string, all *arrow.Schema, columns []joinedColumn) error {
	if text == "" {
		return nil
	}
	where, err := expr.Parse(text)
	if err != nil {
		return err
	}
	whole, err := where.Compile(all)
	if err != nil {
		return err
	}
	if whole.Type().ID() != arrow.BOOL {
		return fmt.Errorf("condition %q is of type %s, not true or false", text, typeName(whole.Type()))
	}
	if p.where.whole, err = compilePairs(where, all, columns); err != nil {
		return err
	}
	decidedBy := func(names []string) (by [2]bool) { return p.decidedBy(names, all, columns) }
	for s := range p.where.own {
		part := where.Only(func(names []string) bool { return decidedBy(names)[s] })
		if p.where.own[s], err = p.compileOwn(side(s), part, all, columns); err != nil {
			return err
		}
	}
	cross := where.Only(func(names []string) bool { return decidedBy(names) == [2]bool{} })
	p.where.cross, err = compilePairs(cross, all, columns)
	return err
}

// decidedBy returns which of the two rows of a pair says alone what an expression of some columns is: each
// does where there are none.
func (p *joinPlan) decidedBy(names []string, all *arrow.Schema, columns []joinedColumn) (by [2]bool) {
	by = [2]bool{true, true}
	for _, name := range names {
		i := all.FieldIndices(name)[0]
		for s := range by {
			by[s] = by[s] && columns[i][s] != noColumn
		}
		// A key of both is the value of the left, which is that of the right unless that is another zero
		// or NaN.
		if columns[i][leftSide] != noColumn && arrow.IsFloating(all.Field(i).Type.ID()) {
			by[rightSide] = false
		}
	}
	return by
}

// compileOwn compiles what refers to one side only; nil if there is nothing. It sees dictionaries, so that
// it can look at each entry once.
func (p *joinPlan) compileOwn(s side, part *expr.Expr, all *arrow.Schema, columns []joinedColumn) (*ownCondition, error) {
	if part == nil {
		return nil, nil
	}
	own := &ownCondition{}
	var fields []arrow.Field
	for _, name := range part.Columns() {
		i := all.FieldIndices(name)[0]
		own.columns = append(own.columns, columns[i][s])
		fields = append(fields, arrow.Field{Name: name, Type: p.inputs[s].Field(columns[i][s]).Type, Nullable: true})
	}
	own.schema = arrow.NewSchema(fields, nil)
	var err error
	own.program, err = part.Compile(own.schema)
	return own, err
}

// compilePairs compiles a condition for a schema of the columns that it reads only; nil if there is none.
func compilePairs(where *expr.Expr, all *arrow.Schema, columns []joinedColumn) (*pairCondition, error) {
	if where == nil {
		return nil, nil
	}
	pairs := &pairCondition{}
	var fields []arrow.Field
	for _, name := range where.Columns() {
		i := all.FieldIndices(name)[0]
		fields = append(fields, all.Field(i))
		pairs.columns = append(pairs.columns, columns[i])
	}
	pairs.schema = arrow.NewSchema(fields, nil)
	var err error
	pairs.program, err = where.Compile(pairs.schema)
	return pairs, err
}
