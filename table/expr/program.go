package expr

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
)

// An Expr is an expression that was read but not yet checked against the columns of a table.
type Expr struct {
	text string
	tree syntax
}

// Parse reads an expression. The error is an [*Error].
func Parse(text string) (*Expr, error) {
	tree, err := parse([]rune(text))
	if err != nil {
		return nil, err
	}
	return &Expr{text, tree}, nil
}

// MustParse is Parse for expressions that stand in a program. It panics on an error.
func MustParse(text string) *Expr {
	e, err := Parse(text)
	if err != nil {
		panic("expr: " + err.Error())
	}
	return e
}

// String returns the text of the expression.
func (e *Expr) String() string { return e.text }

// Columns returns the names of the columns that the expression reads, each once, as they come.
func (e *Expr) Columns() []string {
	var names []string
	walk(e.tree, func(s syntax) {
		if c, ok := s.(columnName); ok && !slices.Contains(names, c.name) {
			names = append(names, c.name)
		}
	})
	return names
}

// A Program is an expression compiled for the columns of one schema. It never changes: any number of
// goroutines can use it, each with an evaluator of its own.
type Program struct {
	text      string
	root      node
	columns   []programColumn
	tables    []*entries
	zones     []zone
	conjuncts []Conjunct
	registers int
	masks     int
}

// programColumn is a column that a program reads.
type programColumn struct {
	name  string
	index int // in the schema
	typ   arrow.DataType
}

// Compile is [Parse] and [Expr.Compile].
func Compile(text string, schema *arrow.Schema) (*Program, error) {
	e, err := Parse(text)
	if err != nil {
		return nil, err
	}
	return e.Compile(schema)
}

// Compile checks the expression against a schema, and prepares its evaluation. The error is an
// [*Error].
func (e *Expr) Compile(schema *arrow.Schema) (*Program, error) {
	b := &binder{source: []rune(e.text), schema: schema, program: &Program{text: e.text}}
	return b.compile(e.tree)
}

// String returns the text of the expression.
func (p *Program) String() string { return p.text }

// Type returns the type of the values: what a column has that is named by itself, else never a
// dictionary.
func (p *Program) Type() arrow.DataType {
	if c, ok := p.root.(*columnRef); ok {
		return p.columns[c.column].typ
	}
	return p.root.base().typ
}

// Columns returns the numbers of the columns that the program reads, in the order in which the
// expression first names them.
func (p *Program) Columns() []int {
	columns := make([]int, len(p.columns))
	for i, c := range p.columns {
		columns[i] = c.index
	}
	return columns
}

// Column returns the number of the column that the expression is, false if it is more than the name of
// one.
func (p *Program) Column() (column int, ok bool) {
	c, ok := p.root.(*columnRef)
	if !ok {
		return 0, false
	}
	return p.columns[c.column].index, true
}
