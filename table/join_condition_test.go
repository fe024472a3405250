package table

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"pgregory.net/rapid"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/table/expr"
)

// truth is what a condition is in a row or a pair.
type truth int

const (
	isTrue truth = iota
	isFalse
	isNull
	isError
)

// A term is what a condition joins with and.
type term struct {
	text  string
	sides [2]bool // whose columns it reads; neither if both have them, or there are none
	of    func(l, r map[string]any) truth
}

func is(value any, holds func(int64) bool) truth {
	switch n, ok := value.(int64); {
	case !ok:
		return isNull
	case holds(n):
		return isTrue
	default:
		return isFalse
	}
}

// quotient is what 6 // n = 6 is.
func quotient(n any) truth {
	if n == int64(0) {
		return isError
	}
	return is(n, func(n int64) bool { return n == 1 })
}

var terms = []term{
	{"a > 0", [2]bool{true, false}, func(l, _ map[string]any) truth { return is(l["a"], func(n int64) bool { return n > 0 }) }},
	{"a <> 0", [2]bool{true, false}, func(l, _ map[string]any) truth { return is(l["a"], func(n int64) bool { return n != 0 }) }},
	{"6 // a = 6", [2]bool{true, false}, func(l, _ map[string]any) truth { return quotient(l["a"]) }},
	{"n is null", [2]bool{true, false}, func(l, _ map[string]any) truth {
		if l["n"] == nil {
			return isTrue
		}
		return isFalse
	}},
	{"(6 // n = 6)", [2]bool{true, false}, func(l, _ map[string]any) truth { return quotient(l["n"]) }},
	{"b < 2", [2]bool{false, true}, func(_, r map[string]any) truth { return is(r["b"], func(n int64) bool { return n < 2 }) }},
	{"b != 0", [2]bool{false, true}, func(_, r map[string]any) truth { return is(r["b"], func(n int64) bool { return n != 0 }) }},
	{"6 // b = 6", [2]bool{false, true}, func(_, r map[string]any) truth { return quotient(r["b"]) }},
	{"6 // n_right = 6", [2]bool{false, true}, func(_, r map[string]any) truth { return quotient(r["n"]) }},
	{"a <> b", [2]bool{true, true}, func(l, r map[string]any) truth {
		b, ok := r["b"].(int64)
		if !ok {
			return isNull
		}
		return is(l["a"], func(n int64) bool { return n != b })
	}},
	{"6 // (a - n_right) = 6", [2]bool{true, true}, func(l, r map[string]any) truth {
		n, ok := r["n"].(int64)
		if a, there := l["a"].(int64); ok && there {
			return quotient(a - n)
		}
		return isNull
	}},
	{"k <> 1", [2]bool{}, func(l, _ map[string]any) truth { return is(l["k"], func(n int64) bool { return n != 1 }) }},
	{"6 // k = 6", [2]bool{}, func(l, _ map[string]any) truth { return quotient(l["k"]) }},
	{"true", [2]bool{}, func(_, _ map[string]any) truth { return isTrue }},
	{"1 > 2", [2]bool{}, func(_, _ map[string]any) truth { return isFalse }},
	{"null", [2]bool{}, func(_, _ map[string]any) truth { return isNull }},
	{"6 // 0 = 6", [2]bool{}, func(_, _ map[string]any) truth { return isError }},
}

// all is what terms joined with and are, evaluated from left to right until one is false.
func all(terms []term, l, r map[string]any) truth {
	sum := isTrue
	for _, t := range terms {
		switch of := t.of(l, r); of {
		case isError, isFalse:
			return of
		case isNull:
			sum = isNull
		}
	}
	return sum
}

// Parts that are about one side are decided before pairs are made, and no error comes of that which the whole
// condition would not have for a pair of equal keys.
func TestAConditionTakenApartIsWhatItWas(t *testing.T) {
	left := arrow.NewSchema([]arrow.Field{field("k", int64Type), field("a", int64Type), field("n", int64Type)}, nil)
	right := arrow.NewSchema([]arrow.Field{field("k", int64Type), field("b", int64Type), field("n", int64Type)}, nil)
	named := func(schema *arrow.Schema, row []any) map[string]any {
		m := make(map[string]any)
		for i, f := range schema.Fields() {
			m[f.Name] = row[i]
		}
		return m
	}
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.SampledFrom([]any{nil, 0, 1, 1, 2, 2})
		var batches [2][]arrow.RecordBatch
		for s, schema := range []*arrow.Schema{left, right} {
			for range rapid.IntRange(1, 3).Draw(t, "batches") {
				rows := rapid.SliceOfN(rapid.SliceOfN(value, 3, 3), 0, 12).Draw(t, "rows")
				batch := batchOf(schema, rows...)
				defer batch.Release()
				batches[s] = append(batches[s], batch)
			}
		}
		part := rapid.SliceOfN(rapid.SampledFrom(terms), 1, 5).Draw(t, "terms")
		where := ""
		for i, p := range part {
			switch {
			case i == 0:
				where = p.text
			case rapid.Bool().Draw(t, "nested"):
				where = "(" + where + ") and " + p.text
			default:
				where += " and " + p.text
			}
		}
		if len(part) == 1 && where == "null" {
			t.Skip("no condition")
		}
		using := rapid.Bool().Draw(t, "using")
		of := func(wanted [2]bool) (some []term) {
			for _, p := range part {
				if strings.Contains(p.text, "k") && !using {
					p.sides = [2]bool{true, false}
				}
				if p.sides == wanted || p.sides == [2]bool{} {
					some = append(some, p)
				}
			}
			return some
		}
		own := [2][]term{of([2]bool{true, false}), of([2]bool{false, true})}
		failed := false
		matches := func(l, r []any) bool {
			x, y := named(left, l), named(right, r)
			whole := all(part, x, y)
			ownLeft, ownRight := all(own[0], x, y), all(own[1], x, y)
			var got truth
			switch {
			case ownLeft == isFalse || ownLeft == isNull || ownRight == isFalse || ownRight == isNull:
				got = isFalse
			default:
				got = whole
			}
			if (got == isTrue) != (whole == isTrue) || got == isError && whole != isError {
				t.Fatalf("%v of %v, %v is %v", where, l, r, whole)
			}
			failed = failed || got == isError
			return got == isTrue
		}
		kind := JoinKind(rapid.SampledFrom(joinKinds).Draw(t, "kind"))
		j := Join{Kind: kind, On: []JoinKey{{"k", "k"}}, Using: using, Where: where}
		want := naiveJoin(kind, 1, [2]*arrow.Schema{left, right}, allRows(batches[0]), allRows(batches[1]), matches)
		share := rapid.SampledFrom([]int64{0, 1, 500}).Draw(t, "share")
		for _, r := range []*mem.Resource{nil, little()} {
			got, _, err := joinIn(t, r, j, batches[0], batches[1], func(run *joining) {
				if share > 0 {
					run.share = share
				}
			})
			switch {
			case err != nil:
				if !failed || !errors.Is(err, expr.ErrDivisionByZero) {
					t.Fatalf("%s: %v", where, err)
				}
			case failed && !kind.halves(): // which may have seen enough before
				t.Fatalf("%s: no error", where)
			case !failed && !j.Using && !slices.Equal(got, want), !failed && len(got) != len(want):
				t.Fatalf("%s: %d rows\n%s\nwant %d\n%s", where, len(got), strings.Join(got, "\n"), len(want), strings.Join(want, "\n"))
			}
			if r != nil {
				assertNothingTaken(t, r)
			}
		}
	})
}

// Nobody lives to see ten thousand million pairs looked at.
func TestOneSidedConditionsSpareHotKeysTheirPairs(t *testing.T) {
	rows := 100_000
	if raceDetector || debugBuild {
		rows = 20_000
	}
	hot := func(name string) (batches []arrow.RecordBatch) {
		for from := 0; from < rows; from += rows / 10 {
			made := make([][]any, rows/10)
			for i := range made {
				made[i] = []any{7, from + i}
			}
			schema := arrow.NewSchema([]arrow.Field{field("k", int64Type), field(name, int64Type)}, nil)
			batches = append(batches, batchOf(schema, made...))
		}
		return batches
	}
	left, right := hot("n"), hot("m")
	for _, tt := range []struct {
		kind JoinKind
		want int
	}{
		{InnerJoin, 30}, {LeftJoin, 30 + rows - 10}, {RightJoin, 30 + rows - 3}, {FullJoin, 30 + 2*rows - 13},
		{SemiJoin, 10}, {AntiJoin, rows - 10},
	} {
		j := Join{Kind: tt.kind, On: []JoinKey{{"k", "k"}}, Where: fmt.Sprintf("n < 10 and (m >= %d and true) and n < m", rows-3), Suffix: "_r"}
		for _, r := range []*mem.Resource{nil, newResource(t, 1<<20)} {
			got, _, err := joinIn(t, r, j, left, right)
			if err != nil || len(got) != tt.want {
				t.Errorf("%s: %d rows, %v, want %d", tt.kind, len(got), err, tt.want)
			}
		}
	}
}

// The first chunk of the right, which tells what the condition refers to, comes when all of the left has.
func TestWhatCameBeforeTheConditionWasKnownIsSiftedToo(t *testing.T) {
	left := keyNumbers([]any{1, 1}, []any{2, 2}, []any{2, 3})
	right := batchOf(arrow.NewSchema([]arrow.Field{field("k", int64Type), field("m", int64Type)}, nil), []any{2, 1})
	defer left.Release()
	defer right.Release()
	net := sluice.NewNetwork("test", sluice.WithMemory(newResource(t, 1<<20)))
	l, r, out := net.Channel("l"), net.Channel("r"), net.Channel("out")
	var run *joining
	sent, seen := make(chan struct{}), make(chan struct{})
	net.Node("left", func(ctx context.Context) error {
		err := source(l, left, left, left)(ctx) // when the last was sent, the first is kept
		close(sent)
		<-seen
		return err
	}, sluice.Writes(l))
	net.Node("right", func(ctx context.Context) error {
		<-sent
		defer close(seen)
		if err := source(r, right, right, right)(ctx); err != nil { // the second one was taken, so the first is done with
			return err
		}
		if rows, _ := run.kept[leftSide].size(); rows != 3 {
			t.Errorf("%d rows of the left are kept", rows)
		}
		return nil
	}, sluice.Writes(r))
	net.Node("join", func(ctx context.Context) error {
		run = newJoining(ctx, Join{Kind: LeftJoin, On: []JoinKey{{"k", "k"}}, Where: "n > 2"}, "join", [2]*sluice.Channel{l, r}, out)
		defer run.release()
		return run.run(ctx)
	}, sluice.Reads(l, r).At(mem.Host), sluice.Writes(out))
	rows := 0
	net.Node("sink", func(ctx context.Context) error {
		return eachChunk(ctx, out, func(_ *sluice.Message, chunk *Chunk) error { rows += chunk.Rows(); return nil })
	}, reads(out))
	if err := net.Run(t.Context()); err != nil || rows != 3*(2+3) {
		t.Errorf("%d rows, %v", rows, err)
	}
}

// Where both zeros are one key, a condition sees that of the left.
func TestAConditionOnAKeyOfBothSeesTheLeftOne(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("k", float64Type)}, nil)
	left, right := batchOf(schema, []any{0.0}), batchOf(schema, []any{math.Copysign(0, -1)})
	defer left.Release()
	defer right.Release()
	j := Join{On: []JoinKey{{"k", "k"}}, Using: true, Where: "cast(k as text) = '0'"}
	got, _, err := joinIn(t, nil, j, []arrow.RecordBatch{left}, []arrow.RecordBatch{right})
	if err != nil || len(got) != 1 {
		t.Errorf("%v, %v", got, err)
	}
}

// Of rows with a null in a key only those that come out anyway do, and before anything is kept of them.
func TestRowsThatMatchNothingAreNotKept(t *testing.T) {
	var made [][]any
	for i := range 100 {
		made = append(made, []any{nil, i}, []any{i, i})
	}
	for _, kind := range joinKinds {
		for s := leftSide; s <= rightSide; s++ {
			batch := keyNumbers(made...)
			j := newJoining(t.Context(), Join{Kind: JoinKind(kind), On: []JoinKey{{"k", "k"}}}, "join", [2]*sluice.Channel{}, nil)
			var err error
			if j.plan, err = j.join.compile(batch.Schema(), batch.Schema()); err != nil {
				t.Fatal(err)
			}
			out := sluice.NewChannel("out")
			j.out = out
			chunk, err := j.sift(t.Context(), s, NewChunk(batch))
			if err != nil || chunk.Rows() != 100 {
				t.Fatalf("%v", err)
			}
			chunk.Release()
			sent := 0
			if out.Len() > 0 {
				m, err := out.Recv(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if c, err := sluice.Peek[*Chunk](&m); err == nil {
					sent = c.Rows()
				}
				m.Release()
			}
			if want := map[bool]int{true: 100}[j.plan.kind.givesAlone(s)]; sent != want {
				t.Errorf("%s: %d rows of the %v are sent, want %d", kind, sent, s, want)
			}
		}
	}
}
