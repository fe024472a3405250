package table

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"pgregory.net/rapid"

	"github.com/seed14ed4225/sluice"
)

func distinctNode(d Distinct) transform {
	return func(in, out *sluice.Channel) (string, func(context.Context) error, sluice.Port, sluice.Port) {
		return d.Node("distinct", in, out)
	}
}

func TestDistinctKeepsTheFirstOfEqualRows(t *testing.T) {
	schema := everyType()
	rapid.Check(t, func(t *rapid.T) {
		batches := drawBatches(t, schema)
		by := rapid.Permutation(columnNames(schema)).Draw(t, "by")[:rapid.IntRange(0, 3).Draw(t, "keys")]
		d := Distinct{By: by, Workers: rapid.IntRange(1, 3).Draw(t, "workers")}
		seen := map[string]bool{}
		var want [][]any
		for _, row := range allRows(batches) {
			key := row
			if len(by) > 0 {
				key = nil
				for _, name := range by {
					key = append(key, row[schema.FieldIndices(name)[0]])
				}
			}
			if text := asText([][]any{key})[0]; !seen[text] {
				seen[text] = true
				want = append(want, row)
			}
		}
		job := groupingJob{name: "distinct", workers: d.Workers, compile: d.compile}
		for _, node := range []transform{distinctNode(d), cramped(job, 1, 0), cramped(job, 4096, 9)} {
			got, out, err := throughIn(t, ample(), node, batches...)
			if err != nil {
				t.Fatal(err)
			}
			if out != nil && !out.Equal(plainSchema(schema)) {
				t.Fatalf("schema %v", out)
			}
			assertSameRows(t, got, want)
		}
	})
}

func TestDistinctNamesTheColumnThatIsNotThere(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("origin", codedType), field("delay", int64Type)}, nil)
	var unknown *ColumnError
	_, err := Distinct{By: []string{"orign"}}.Schema(schema)
	if !errors.As(err, &unknown) || !strings.Contains(err.Error(), `did you mean "origin"?`) {
		t.Errorf("%v", err)
	}
	out, err := Distinct{By: []string{"delay"}}.Schema(schema)
	if err != nil || fmt.Sprint(columnNames(out)) != "[origin delay]" {
		t.Errorf("%v, %v", out, err)
	}
	if _, err := (Distinct{Workers: -1}).Schema(schema); err == nil || !strings.Contains(err.Error(), "-1 workers") {
		t.Errorf("%v", err)
	}
}
