package table

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"pgregory.net/rapid"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/table/expr"
)

func projectNode(p Project) transform {
	return func(in, out *sluice.Channel) (string, func(context.Context) error, sluice.Port, sluice.Port) {
		return p.Node("project", in, out)
	}
}

func TestProjectGivesTheColumnsAsked(t *testing.T) {
	schema := everyType()
	rapid.Check(t, func(t *rapid.T) {
		batches := drawBatches(t, schema)
		all := rapid.Permutation(schema.Fields()).Draw(t, "columns")
		p := Project{Workers: rapid.IntRange(1, 3).Draw(t, "workers")}
		var from []int // the column of the input that each of the output is
		for _, f := range all[:rapid.IntRange(1, len(all)).Draw(t, "kept")] {
			p.Columns = append(p.Columns, f.Name)
			from = append(from, schema.FieldIndices(f.Name)[0])
		}
		for i, f := range all[:rapid.IntRange(0, 3).Draw(t, "computed")] {
			c := Computed{As: fmt.Sprint("new", i), Expr: f.Name}
			if rapid.Bool().Draw(t, "computed") { // not only renamed
				c.Expr = "coalesce(" + f.Name + ", null)"
			}
			p.Compute = append(p.Compute, c)
			from = append(from, schema.FieldIndices(f.Name)[0])
		}
		var want [][]any
		for _, row := range allRows(batches) {
			var made []any
			for _, column := range from {
				made = append(made, row[column])
			}
			want = append(want, made)
		}
		got, made, err := through(t, projectNode(p), batches...)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(asText(got), asText(want)) {
			t.Fatalf("%+v gives\n%v\nnot\n%v", p, asText(got), asText(want))
		}
		if promised, err := p.Schema(schema); err != nil || made != nil && sameColumns(promised, made) != nil {
			t.Fatalf("%v, promised %v (%v)", made, promised, err)
		}
	})
}

func TestProjectWithAllColumnsReplacesThoseItComputes(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("a", int64Type), field("b", int64Type), field("c", int64Type)}, nil)
	rows, made, err := through(t, projectNode(Project{
		Columns: []string{"c", AllColumns},
		Compute: []Computed{{As: "b", Expr: "a + b"}, {As: "d", Expr: "b"}},
	}), batchOf(schema, []any{1, 2, 3}))
	if err != nil || strings.Join(columnNames(made), " ") != "c a b d" || strings.Join(asText(rows), "") != strings.Join(asText([][]any{{int64(3), int64(1), int64(3), int64(2)}}), "") {
		t.Errorf("%v %v %v", made, asText(rows), err)
	}
}

// Columns that are passed on are the memory that they were: it is charged once, no more is reserved, and
// it can be spilled when the chunk it came in is gone.
func TestColumnsPassedOnAreNotCopied(t *testing.T) {
	r := newResource(t, 1<<20)
	ctx := mem.NewContext(t.Context(), r)
	schema := arrow.NewSchema([]arrow.Field{
		field("n", int64Type), field("origin", codedType), field("name", stringType), field("left out", int64Type),
	}, nil)
	batch := batchOf(schema, []any{1, "ORD", "a", 4}, []any{2, nil, "bc", 5}, []any{nil, "DFW", nil, 6})
	defer batch.Release()
	chunk := countedIn(t, r, batch)
	before := r.Stats().Kinds[mem.Host].Used

	p := projecting{project: Project{Columns: []string{"name", "origin"}, Compute: []Computed{{As: "m", Expr: "n"}, {As: "x", Expr: "n + 1"}}}}
	if _, err := p.schema(schema); err != nil {
		t.Fatal(err)
	}
	hand := p.hand()
	_, need, err := hand.look(chunk)
	if err != nil {
		t.Fatal(err)
	}
	res, err := r.Reserve(ctx, mem.Host, need)
	if err != nil {
		t.Fatal(err)
	}
	made, err := hand.make(chunk, newAllocator(ctx, res))
	if err != nil {
		t.Fatal(err)
	}
	left := res.Left(mem.Host)
	res.Release()
	if used := r.Stats().Kinds[mem.Host].Used; left != 0 || used != before+need {
		t.Errorf("%d bytes were used and %d needed: now %d, and %d are left", before, need, used, left)
	}
	if freed, err := spill(t, r, made); freed != 0 || err != nil {
		t.Errorf("%d bytes were spilled that another chunk has, too (%v)", freed, err)
	}
	chunk.Release()
	want := asText(rowsOf(made.Batch()))
	if freed, err := spill(t, r, made); freed == 0 || err != nil {
		t.Errorf("%d bytes were spilled (%v)", freed, err)
	}
	if _, err := restore(t, r, made); err != nil {
		t.Fatal(err)
	}
	if got := asText(rowsOf(made.Batch())); !slices.Equal(got, want) {
		t.Errorf("%v came back as %v", want, got)
	}
	made.Release()
	assertNothingTaken(t, r)
}

func TestProjectSaysWhatIsWrongBeforeItReads(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("a", int64Type), field("b", stringType)}, nil)
	for _, tt := range []struct {
		project Project
		want    string
	}{
		{Project{}, "nothing to give"},
		{Project{Columns: []string{"x"}}, `unknown column "x"`},
		{Project{Columns: []string{"a", "a"}}, `column "a" is here twice`},
		{Project{Columns: []string{"a"}, Compute: []Computed{{As: "a", Expr: "1"}}}, `column "a": there would be two columns of that name`},
		{Project{Compute: []Computed{{As: "", Expr: "1"}}}, "has no name"},
		{Project{Compute: []Computed{{As: "x", Expr: "a + b"}}}, `column "x": "a + b", character 1:`},
	} {
		if _, err := tt.project.Schema(schema); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want %q", tt.project, err, tt.want)
		}
	}
	_, err := Project{Columns: []string{"a"}, Compute: []Computed{
		{As: "x", Expr: "a"}, {As: "y", Expr: "c"}, {As: "x", Expr: "1"}, {As: "z", Expr: "lenth(a)"},
	}}.Schema(schema)
	var wrong *ComputeError
	var cause *expr.Error
	if !errors.As(err, &wrong) || wrong.Index != 1 || !errors.As(err, &cause) || cause.Column != "c" {
		t.Errorf("%v", err)
	}
	for _, want := range []string{`column "y"`, `column "x": there would be two`, `column "z"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s too", err, want)
		}
	}
}

func TestARowWithoutAValueEndsTheProject(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("n", int64Type)}, nil)
	_, _, err := through(t, projectNode(Project{Compute: []Computed{{As: "x", Expr: "1 / n"}}, Workers: 2}),
		batchOf(schema, []any{1}), batchOf(schema, []any{2}, []any{0}))
	if !errors.Is(err, expr.ErrDivisionByZero) || !strings.Contains(err.Error(), `column "x": "1 / n", row 3`) {
		t.Errorf("%v", err)
	}
}
