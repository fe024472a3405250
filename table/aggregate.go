package table

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
)

// chunkRows is how many rows the chunks have that a node makes up itself.
const chunkRows = 64 << 10

// A Func is an aggregate function. Its text is how job files spell it.
type Func string

const (
	// Count counts the rows in which the column is not null, or all rows if no
	// column is named. int64, never null.
	Count Func = "count"
	// CountDistinct counts the different values of the column that are not null. int64, never null.
	CountDistinct Func = "count distinct"
	// Sum adds up: int64 for signed integers, uint64 for unsigned ones, float64 for
	// floating-point numbers, whose last digits depend on the order of the rows, a
	// decimal of 38 digits and the same scale for decimals, a duration for durations.
	// A sum that does not fit is an error, and only that: what goes over on the way and
	// comes back is right.
	Sum Func = "sum"
	// Mean is the sum divided by the count: float64, also of decimals (as in DuckDB),
	// of which it is the float64 nearest to the exact mean. The sum of integers is exact
	// before that, however large. The mean of durations is a duration, rounded to the
	// nearest of the column's unit, halves away from zero.
	Mean Func = "mean"
	// Min gives the least value, of the column's own type (of text that is a
	// dictionary, the text).
	Min Func = "min"
	// Max gives the greatest, which for numbers is NaN if there is one.
	Max Func = "max"
	// Variance is that of a sample, of numbers and decimals: float64, null for fewer than two
	// values. Its last digits depend on the order of the rows, as those of the three below.
	Variance Func = "variance"
	// StdDev is the square root of Variance.
	StdDev Func = "stddev"
	// VariancePop is the variance of a whole population: null for no values, 0 for one.
	VariancePop Func = "variance_pop"
	// StdDevPop is the square root of VariancePop.
	StdDevPop Func = "stddev_pop"
	// First gives the value, not null, that comes first in the stream: in the order of the numbers
	// of messages, whichever of them arrives first.
	First Func = "first"
	// Any gives one of the values that are not null.
	Any Func = "any"
)

// Funcs returns all functions, in the order in which documentation lists them.
func Funcs() []Func {
	return []Func{Count, CountDistinct, Sum, Mean, Min, Max, Variance, StdDev, VariancePop, StdDevPop, First, Any}
}

// A Measure is a column of the result of an [Aggregate].
type Measure struct {
	As     string // its name; "" gives count, mean_delay, count_distinct_origin, and so on
	Func   Func
	Column string // of the input; "" only for Count, which then counts rows
}

// Aggregate computes measures for each group of rows that are equal in the columns
// By; without any, for all rows together, and then there is one row of result also
// when there is no input. The result has the columns By, with text out of its
// dictionary, and then one for each measure.
//
// Nulls are skipped by all functions; a function of no values is null, or 0 if it counts. In
// By, null is a value like any other: all nulls are one group. So are all
// NaN, and -0 with 0.
//
// Groups come in no particular order. There may be any number of them: those for which there is
// no memory wait in a [shuffle.Shuffle], from where they can be spilled, and are
// brought together partition by partition in the end. Where most rows are groups of their own, they go
// there as they are. For a [CountDistinct] the same is done with the groups and their values.
//
// A worker keeps up to its share of a quarter of the limit of host memory that cannot be
// spilled, which counts by the capacity of its tables; it reserves that before it takes rows in, and waits for
// it. A limit of 2 MiB for each worker does, unless rows are very wide or many measures are computed at
// once; one that does not ends the node with a [*mem.NoMemoryError].
//
// [shuffle.Shuffle]: https://pkg.go.dev/github.com/seed14ed4225/sluice/shuffle#Shuffle
type Aggregate struct {
	By       []string
	Measures []Measure

	// Workers is how many goroutines compute at once. 0 means one for each processor (GOMAXPROCS).
	// There are never more than the limit of host memory has 8 MiB for.
	Workers int
}

// Schema returns the columns of the result. Errors name the measure or column; one
// that is not there is a [*ColumnError].
func (a Aggregate) Schema(in *arrow.Schema) (*arrow.Schema, error) {
	plan, err := a.compile(in)
	if err != nil {
		return nil, err
	}
	return plan.schema, nil
}

// Node returns a node that reads in to its end, and then sends the groups to out
// in chunks of up to 65,536 rows, and of up to a sixteenth of the limit of host memory, numbered
// from 0, those of a partition as soon as it is done. It releases the messages that it reads,
// and their receipts, as it reads them.
//
// If in ends without a single chunk, there is no schema: then the result is empty,
// or without By one row of counts and nulls.
func (a Aggregate) Node(
	name string, in, out *sluice.Channel,
) (string, func(context.Context) error, sluice.Port, sluice.Port) {
	job := a.job(name)
	return name, func(ctx context.Context) error { return job.run(ctx, in, out) }, reads(in), sluice.Writes(out)
}

func (a Aggregate) job(name string) groupingJob {
	return groupingJob{name: name, workers: a.Workers, compile: a.compile, without: a.schemaWithout()}
}
