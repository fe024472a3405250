package table

import (
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
)

// Distinct keeps one of the rows that are equal in the columns By, or in all columns if none is
// named: that which comes first in the stream, by the numbers of messages. Values are equal as
// in the By of an [Aggregate]: all nulls are, for one.
//
// Rows come in no particular order, and with text out of its dictionary. It is an aggregate,
// and what is said there of memory, workers and chunks holds here.
type Distinct struct {
	By []string

	// Workers is how many goroutines compute at once. 0 means one for each processor (GOMAXPROCS).
	// There are never more than the limit of host memory has 8 MiB for.
	Workers int
}

// Schema returns the columns of the result, which are those of the input. Errors name the column;
// one that is not there is a [*ColumnError].
func (d Distinct) Schema(in *arrow.Schema) (*arrow.Schema, error) {
	plan, err := d.compile(in)
	if err != nil {
		return nil, err
	}
	return plan.ordered, nil
}

// Node returns a node that reads in to its end, and then sends the rows to out, as
// [Aggregate.Node] does groups. If in ends without a single chunk, nothing is sent.
func (d Distinct) Node(
	name string, in, out *sluice.Channel,
) (string, func(context.Context) error, sluice.Port, sluice.Port) {
	job := groupingJob{name: name, workers: d.Workers, compile: d.compile}
	return name, func(ctx context.Context) error { return job.run(ctx, in, out) }, reads(in), sluice.Writes(out)
}

// compile makes groups by the columns, and has the others be measured by what the first
// row of each group has.
func (d Distinct) compile(in *arrow.Schema) (*aggregatePlan, error) {
	a := Aggregate{By: d.By, Workers: d.Workers}
	if len(d.By) == 0 {
		for _, f := range in.Fields() {
			a.By = append(a.By, f.Name)
		}
	}
	for _, f := range in.Fields() {
		if !slices.Contains(a.By, f.Name) {
			a.Measures = append(a.Measures, Measure{As: f.Name, Func: firstRow, Column: f.Name})
		}
	}
	plan, err := a.compile(in)
	if err != nil {
		return nil, err
	}
	var fields []arrow.Field
	for _, f := range in.Fields() {
		column := plan.schema.FieldIndices(f.Name)[0]
		plan.order = append(plan.order, column)
		fields = append(fields, arrow.Field{Name: f.Name, Type: plain(f.Type), Nullable: f.Nullable})
	}
	plan.ordered = arrow.NewSchema(fields, nil)
	return plan, nil
}
