package plan

import (
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/table"
	"github.com/seed14ed4225/sluice/table/expr"
)

var joinKind = Kind{
	Name:     "join",
	Summary:  "put together the rows of two inputs that match: in: [left, right]",
	Reads:    Ports{2, 2},
	Writes:   One,
	Settings: func() Step { return &joining{Type: joinType(table.InnerJoin), Suffix: "_right"} },
}

type joining struct {
	On      []At[joinKey] `job:"on" doc:"what must be equal, a = b with a column of the left and one of the right, or a list; null equals nothing" also:"keys left_on right_on"`
	Using   []At[string]  `job:"using" doc:"columns of both inputs that must be equal and are one column of the result, one or a list; instead of on"`
	Type    joinType      `job:"type" doc:"inner: rows that match; left, right, full: also the others of that side or both, with nulls; semi: rows of the left that match any, once; anti: the others of the left" also:"how"`
	Where   At[string]    `job:"where" doc:"expression over the columns of both that must be true, too, for rows to match" also:"condition filter"`
	Suffix  joinSuffix    `job:"suffix" doc:"goes behind columns of the right whose name the left has, too"`
	Workers int           `job:"workers,min=1" doc:"how many compute at once; what the job says if not given"`
}

// A joinKey is "a = b", or a alone for "a = a".
type joinKey struct{ left, right columnName }

// UnmarshalText reads a key; its errors know the character they are about.
func (k *joinKey) UnmarshalText(text []byte) error {
	p, err := newPhrase(string(text))
	if err != nil {
		return err
	}
	if k.left, err = p.column(); err != nil {
		return err
	}
	k.right = k.left
	if p.peek().kind == end {
		return nil
	}
	if !p.accept("=") && !p.accept("==") {
		return expectedWord("= between a column of the left and one of the right", p.peek())
	}
	if k.right, err = p.column(); err != nil {
		return err
	}
	return p.done()
}

type joinType table.JoinKind

var joinTypes = []string{
	string(table.InnerJoin), string(table.LeftJoin), string(table.RightJoin),
	string(table.FullJoin), string(table.SemiJoin), string(table.AntiJoin),
}

// UnmarshalText takes the types there are.
func (t *joinType) UnmarshalText(text []byte) error {
	for _, name := range joinTypes {
		if string(text) == name {
			*t = joinType(name)
			return nil
		}
	}
	return fmt.Errorf("unknown type of join %q%s", shorten(string(text)), instead(string(text), joinTypes))
}

// A joinSuffix is never empty.
type joinSuffix string

// UnmarshalText refuses the empty text, which to a [table.Join] means that none was given.
func (s *joinSuffix) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return errors.New("is empty, so that columns of both inputs would have one name; leave it out for _right, or write another one")
	}
	*s = joinSuffix(text)
	return nil
}

func (j *joining) settings() table.Join {
	s := table.Join{
		Kind: table.JoinKind(j.Type), Where: j.Where.Value, Using: len(j.Using) > 0, Suffix: string(j.Suffix), Workers: j.Workers,
	}
	for _, key := range j.On {
		s.On = append(s.On, table.JoinKey{Left: key.Value.left.name, Right: key.Value.right.name})
	}
	for _, key := range j.Using {
		s.On = append(s.On, table.JoinKey{Left: key.Value, Right: key.Value})
	}
	return s
}

func (j *joining) expressions() []At[expression] {
	return []At[expression]{{expression{j.Where.Value}, j.Where.Position, j.Where.origin}}
}

// Schema checks every key on its own first, so that each error has its place.
func (j *joining) Schema(in []*arrow.Schema) ([]*arrow.Schema, error) {
	switch {
	case len(j.On) > 0 && len(j.Using) > 0:
		return nil, j.Using[0].Wrong(errors.New("on and using are two ways to say the same; give all keys as on: a = b, or all as using"))
	case len(j.On)+len(j.Using) == 0:
		return nil, errors.New("no keys given; say what must be equal with on: a = b, or using: a if both inputs call it so")
	}
	whole := j.settings()
	// A semi join of one key has no columns that could clash.
	check := func(i int) error {
		_, err := table.Join{Kind: table.SemiJoin, On: whole.On[i : i+1]}.Schema(in[0], in[1])
		return err
	}
	var errs []error
	for i, key := range j.On {
		offset := key.Value.left.offset
		if len(in[0].FieldIndices(key.Value.left.name)) == 1 {
			offset = key.Value.right.offset
		}
		errs = append(errs, key.wrongIn(offset, check(i)))
	}
	for i, key := range j.Using {
		errs = append(errs, key.Wrong(check(i)))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	out, err := whole.Schema(in[0], in[1])
	var condition *expr.Error
	switch {
	case errors.As(err, &condition):
		return nil, j.Where.wrongIn(condition.Offset, errors.New(condition.Message()))
	case err != nil:
		return nil, err
	}
	return []*arrow.Schema{out}, nil
}

func (j *joining) Add(to *sluice.Network, at Place) error {
	s := j.settings()
	s.Workers = at.workers(s.Workers)
	to.Node(s.Node(at.Name, at.In[0], at.In[1], at.Out[0]))
	return nil
}
