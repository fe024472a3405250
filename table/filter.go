package table

import (
	"context"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/internal/suggest"
)

// A Comparison is what a [Filter] asks of a column. Its text is how job files
// spell it.
type Comparison string

// The comparisons there are.
const (
	Equal          Comparison = "="
	NotEqual       Comparison = "!="
	Less           Comparison = "<"
	LessOrEqual    Comparison = "<="
	Greater        Comparison = ">"
	GreaterOrEqual Comparison = ">="
	IsNull         Comparison = "is_null"
	NotNull        Comparison = "not_null"
)

var comparisons = []string{"=", "!=", "<", "<=", ">", ">=", "is_null", "not_null"}

// Filter passes on the rows in which one column compares with a value as asked.
// As in SQL no comparison holds of a null, not even [NotEqual]; [IsNull] and
// [NotNull] ask about nulls.
//
// Values are compared in the order that the package documentation gives, integers
// also with numbers that their type cannot hold: every uint8 is less than 300. Decimals
// are compared exactly, with as many digits as are given. A float64 is taken for the
// shortest number that reads back as it, so that 10.1 is 10.1.
type Filter struct {
	Column string
	Op     Comparison

	// Value is compared with: an integer of any Go type for integers; a number for
	// floating-point columns; a bool; a string or []byte for text; for decimals a
	// number or a string ("10.25"), which can have more digits than a float64 has;
	// a string for times of day ("17:05:00"); a [time.Duration] or a string
	// ("1h30m", see [time.ParseDuration]) for durations; a [time.Time] or a string
	// for dates ("2001-03-31") and timestamps ("2001-03-31 17:05:00", with
	// T or a space, fractions of a second if the column has them, "Z" or "+01:00"
	// only if the column has a time zone). A column with a time zone compares
	// instants, and a string without one is in that of the column; a column without
	// one compares what the clock showed. nil for IsNull and NotNull.
	Value any
}

// Schema returns in, if the filter can work on it. The error names the column; it
// is a [*ColumnError] if there is none of that name.
func (f Filter) Schema(in *arrow.Schema) (*arrow.Schema, error) {
	if _, _, err := f.compile(in); err != nil {
		return nil, err
	}
	return in, nil
}

// Node returns a node that passes rows from in to out, with the sequence numbers
// and receipts of the chunks they came in. A chunk of which nothing is left is
// released; if nothing at all passes, the last chunk is followed by one without
// rows. A chunk of which everything is left is passed on as it is; for the rest of another,
// the node reserves its exact bytes while it has the chunk, and waits for them if need be.
func (f Filter) Node(
	name string, in, out *sluice.Channel,
) (string, func(context.Context) error, sluice.Port, sluice.Port) {
	run := func(ctx context.Context) error {
		r := filtering{filter: f, out: out, budget: budgetOf(ctx)}
		return r.run(ctx, in)
	}
	return name, run, reads(in), sluice.Writes(out)
}

// A test appends the places of the rows that pass.
type test func(v *view, into []place) []place

func (f Filter) compile(in *arrow.Schema) (column int, passes test, err error) {
	if err := supported(in); err != nil {
		return 0, nil, err
	}
	if column, err = columnIndex(in, f.Column); err != nil {
		return 0, nil, err
	}
	if !slices.Contains(comparisons, string(f.Op)) {
		return 0, nil, fmt.Errorf("unknown comparison %q%s", string(f.Op), suggest.Phrase(string(f.Op), comparisons))
	}
	passes, err = f.test(in.Field(column).Type)
	if err != nil {
		return 0, nil, fmt.Errorf("column %q %s: %w", f.Column, f.asked(), err)
	}
	return column, passes, nil
}

// asked is the comparison without the column, as far as it is given.
func (f Filter) asked() string {
	if f.Value == nil {
		return string(f.Op)
	}
	return fmt.Sprintf("%s %s", f.Op, shown(f.Value))
}

// filtering is one run of a filter.
type filtering struct {
	filter Filter
	out    *sluice.Channel
	budget budget

	schema *arrow.Schema // nil before the first chunk
	column int
	passes test
	places []place // scratch
	sent   bool
	last   sluice.SeqNum
}

func (r *filtering) run(ctx context.Context, in *sluice.Channel) error {
	err := eachChunk(ctx, in, func(m *sluice.Message, chunk *Chunk) error { return r.chunk(ctx, m, chunk) })
	if err != nil || r.sent || r.schema == nil {
		return err
	}
	return send(ctx, r.out, r.last, NewChunk(emptyBatch(ctx, r.schema))) // tells the schema
}

func (r *filtering) chunk(ctx context.Context, m *sluice.Message, chunk *Chunk) (err error) {
	if r.schema == nil {
		r.schema = chunk.Schema()
		if r.column, r.passes, err = r.filter.compile(r.schema); err != nil {
			return err
		}
	}
	r.last = m.Seq()
	batch := chunk.Batch()
	tested := newView(batch.Column(r.column))
	r.places = r.passes(&tested, slices.Grow(r.places[:0], tested.rows))
	switch len(r.places) {
	case 0:
		return nil
	case tested.rows: // m goes on as it is
	default:
		picked, err := pick(ctx, r.budget, batch, r.places)
		if err != nil {
			return err
		}
		m.Replace(picked)
	}
	r.sent = true
	return r.out.Send(ctx, m)
}

// pick makes a chunk of the rows of one batch at the given places.
func pick(ctx context.Context, from budget, batch arrow.RecordBatch, places []place) (*Chunk, error) {
	columns := make([][]view, batch.NumCols())
	for i, a := range batch.Columns() {
		columns[i] = []view{newView(a)}
	}
	return gatherChunk(ctx, from, batch.Schema(), columns, places)
}
