package expr_test

import (
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/seed14ed4225/sluice/table/expr"
)

var flights = arrow.NewSchema([]arrow.Field{
	{Name: "origin", Type: arrow.BinaryTypes.String},
	{Name: "delay", Type: arrow.PrimitiveTypes.Int16, Nullable: true},
	{Name: "day", Type: arrow.FixedWidthTypes.Date32},
}, nil)

func read(rows string) arrow.RecordBatch {
	batch, _, err := array.RecordFromJSON(memory.DefaultAllocator, flights, strings.NewReader(rows))
	if err != nil {
		panic(err)
	}
	return batch
}

func Example() {
	batch := read(`[
		{"origin": "ORD", "delay": 75, "day": "2001-03-31"},
		{"origin": "SFO", "delay": null, "day": "2001-04-01"},
		{"origin": "ORD", "delay": 3, "day": "2001-04-02"}
	]`)
	defer batch.Release()

	late, err := expr.Compile("delay > 60 or origin like 'S%'", flights)
	if err != nil {
		panic(err)
	}
	rows, err := late.NewEvaluator().Select(batch, nil)
	fmt.Println(rows, err)

	hours, err := expr.Compile("coalesce(delay, 0) / 60", flights)
	if err != nil {
		panic(err)
	}
	values, err := hours.NewEvaluator().Eval(batch, memory.DefaultAllocator)
	if err != nil {
		panic(err)
	}
	defer values.Release()
	fmt.Println(hours.Type(), values)

	// Output:
	// [0 1] <nil>
	// float64 [1.25 0 0.05]
}

func ExampleCompile() {
	_, err := expr.Compile("dely > 60", flights)
	fmt.Println(err)
	_, err = expr.Compile("delay > 'late'", flights)
	fmt.Println(err)

	// Output:
	// "dely > 60", character 1: unknown column "dely"; did you mean "delay"?
	// "delay > 'late'", character 1: > does not work on delay, which is int16, and 'late', which is text
}

func ExampleProgram_Conjuncts() {
	p, err := expr.Compile("delay > 60.5 and day >= '2001-04-01' and upper(origin) = 'ORD'", flights)
	if err != nil {
		panic(err)
	}
	for _, c := range p.Conjuncts() {
		fmt.Println(flights.Field(c.Column).Name, c.Op, c.Value)
	}

	// Output:
	// delay > 60
	// day >= 11413
}
