package table

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/ops"
	"github.com/seed14ed4225/sluice/table/expr"
)

// joinIn joins batches in the memory of a resource, and returns the rows that come out, sorted as text, and
// their schema. All memory must come back, and numbers rise. Changes are made to the run before it begins.
func joinIn(
	t failer, r *mem.Resource, j Join, left, right []arrow.RecordBatch, changes ...func(*joining),
) (rows []string, schema *arrow.Schema, err error) {
	t.Helper()
	checked := memory.NewCheckedAllocator(memory.DefaultAllocator)
	net := sluice.NewNetwork("test", sluice.WithMemory(r))
	l, rt, out := net.Channel("l"), net.Channel("r"), net.Channel("out")
	net.Node("left", source(l, left...), sluice.Writes(l))
	net.Node("right", source(rt, right...), sluice.Writes(rt))
	net.Node("join", func(ctx context.Context) error {
		run := newJoining(ctx, j, "join", [2]*sluice.Channel{l, rt}, out)
		defer run.release()
		for _, change := range changes {
			change(run)
		}
		return run.run(ctx)
	}, sluice.Reads(l, rt).At(mem.Host), sluice.Writes(out))
	net.Node("sink", func(ctx context.Context) error {
		last := -1
		for m, err := range out.All(ctx) {
			if err != nil {
				return err
			}
			if int(m.Seq()) != last+1 {
				t.Errorf("number %d follows %d", m.Seq(), last)
			}
			last = int(m.Seq())
			chunk, err := sluice.Peek[*Chunk](&m)
			if err != nil {
				return err
			}
			schema = chunk.Schema()
			for i, c := range chunk.Batch().Columns() {
				if !arrow.TypeEqual(c.DataType(), schema.Field(i).Type) {
					t.Errorf("column %d is %v, its schema says %v", i, c.DataType(), schema.Field(i).Type)
				}
			}
			rows = append(rows, asText(rowsOf(chunk.Batch()))...)
			m.Release()
		}
		return nil
	}, reads(out))
	err = net.Run(withAllocator(context.Background(), checked))
	assertNoLeak(t, checked)
	if r != nil {
		if host := r.Stats().Kinds[mem.Host]; host.Overbooked != 0 {
			t.Errorf("%d bytes were taken of %d", host.Peak, host.Limit)
		}
	}
	slices.Sort(rows)
	return rows, schema, err
}

// joinable are pairs of types of which a join can compare columns.
var joinable = func() (pairs [][2]arrow.DataType) {
	integers := []arrow.DataType{
		arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Int16, arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int64,
		arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Uint16, arrow.PrimitiveTypes.Uint32, arrow.PrimitiveTypes.Uint64,
	}
	price, exact, finest := &arrow.Decimal128Type{Precision: 10, Scale: 2}, &arrow.Decimal128Type{Precision: 38, Scale: 4}, &arrow.Decimal128Type{Precision: 38, Scale: 38}
	for _, a := range integers {
		for _, b := range slices.Concat(integers, []arrow.DataType{price, exact, finest}) {
			pairs = append(pairs, [2]arrow.DataType{a, b})
		}
	}
	for _, a := range []arrow.DataType{price, exact, finest} {
		pairs = append(pairs, [2]arrow.DataType{a, price}, [2]arrow.DataType{a, exact}, [2]arrow.DataType{a, finest})
	}
	for _, f := range everyType().Fields() {
		pairs = append(pairs, [2]arrow.DataType{f.Type, f.Type})
	}
	utc := &arrow.TimestampType{Unit: arrow.Nanosecond, TimeZone: "UTC"}
	return append(pairs,
		[2]arrow.DataType{arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64},
		[2]arrow.DataType{stringType, codedType},
		[2]arrow.DataType{utc, &arrow.TimestampType{Unit: arrow.Nanosecond, TimeZone: "Asia/Tokyo"}},
	)
}()

// keyText brings a value to a form in which equal values of comparable types are equal texts.
func keyText(value any, typ arrow.DataType) string {
	switch v := value.(type) {
	case nil:
		return ""
	case int64:
		return new(big.Rat).SetInt64(v).String()
	case uint64:
		return new(big.Rat).SetInt(new(big.Int).SetUint64(v)).String()
	case decimal128.Num:
		scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(typ.(arrow.DecimalType).GetScale())), nil)
		return new(big.Rat).SetFrac(v.BigInt(), scale).String()
	case float64:
		if math.IsNaN(v) {
			return "NaN"
		}
		return fmt.Sprint(v + 0)
	default:
		return fmt.Sprintf("%T %v", v, v)
	}
}

// naiveJoin joins by a nested loop. The keys are the first columns; matches says more.
func naiveJoin(kind JoinKind, keys int, schemas [2]*arrow.Schema, left, right [][]any, matches func(l, r []any) bool) []string {
	var made [][]any
	equal := func(l, r []any) bool {
		for k := range keys {
			a, b := keyText(l[k], schemas[0].Field(k).Type), keyText(r[k], schemas[1].Field(k).Type)
			if a == "" || a != b {
				return false
			}
		}
		return matches(l, r)
	}
	nulls := func(n int) []any { return make([]any, n) }
	found := make([]bool, len(right))
	for _, l := range left {
		any := false
		for i, r := range right {
			if !equal(l, r) {
				continue
			}
			any, found[i] = true, true
			if !kind.halves() {
				made = append(made, slices.Concat(l, r))
			}
		}
		switch {
		case kind == SemiJoin && any, kind == AntiJoin && !any:
			made = append(made, l)
		case kind.emits(leftSide) && !any:
			made = append(made, slices.Concat(l, nulls(schemas[1].NumFields())))
		}
	}
	for i, r := range right {
		if kind.emits(rightSide) && !found[i] {
			made = append(made, slices.Concat(nulls(schemas[0].NumFields()), r))
		}
	}
	text := asText(made)
	slices.Sort(text)
	return text
}

func both(a, b func(*joining)) func(*joining) { return func(run *joining) { a(run); b(run) } }

func TestJoinsAreThoseOfANestedLoop(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.IntRange(1, 2).Draw(t, "keys")
		var fields [2][]arrow.Field
		j := Join{
			Kind:    JoinKind(rapid.SampledFrom(joinKinds).Draw(t, "kind")),
			Workers: rapid.IntRange(0, 3).Draw(t, "workers"), // as many as that without a limit, or a large one
		}
		for k := range keys {
			types := rapid.SampledFrom(joinable).Draw(t, "types")
			if rapid.Bool().Draw(t, "turned") {
				types[0], types[1] = types[1], types[0]
			}
			j.On = append(j.On, JoinKey{fmt.Sprint("l", k), fmt.Sprint("r", k)})
			fields[0] = append(fields[0], field(fmt.Sprint("l", k), types[0]))
			fields[1] = append(fields[1], field(fmt.Sprint("r", k), types[1]))
		}
		fields[0] = append(fields[0], field("n", int64Type), field("text", codedType))
		fields[1] = append(fields[1], field("m", int64Type), field("flag", arrow.FixedWidthTypes.Boolean), field("text", stringType))
		var batches [2][]arrow.RecordBatch
		var schemas [2]*arrow.Schema
		for s := range batches {
			schemas[s] = arrow.NewSchema(fields[s], nil)
			batches[s] = append(drawBatches(t, schemas[s]), emptyBatch(context.Background(), schemas[s]))
			for _, b := range batches[s] {
				defer b.Release()
			}
		}
		matches := func(l, r []any) bool { return true }
		switch rapid.IntRange(0, 2).Draw(t, "condition") {
		case 1:
			j.Where = "n < m"
			matches = func(l, r []any) bool {
				return l[keys] != nil && r[keys] != nil && l[keys].(int64) < r[keys].(int64)
			}
		case 2:
			j.Where = "text = text_right or flag"
			matches = func(l, r []any) bool {
				return l[keys+1] != nil && l[keys+1] == r[keys+2] || r[keys+1] == true
			}
		}
		want := naiveJoin(j.Kind, keys, schemas, allRows(batches[0]), allRows(batches[1]), matches)
		change := func(*joining) {}
		if share := rapid.SampledFrom([]int64{0, 1, 1000, 2000}).Draw(t, "share"); share > 0 {
			change = func(run *joining) { run.share = share } // so that partitions and blocks are made of a few rows
		}
		if most := rapid.SampledFrom([]int{0, 1, 3}).Draw(t, "most"); most > 0 {
			change = both(change, func(run *joining) { run.most = most })
		}
		for _, r := range []*mem.Resource{nil, ample(), little(), tight()} {
			got, schema, err := joinIn(t, r, j, batches[0], batches[1], change)
			if err != nil {
				t.Fatalf("%v", err)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%d rows\n%s\nwant %d\n%s", len(got), strings.Join(got, "\n"), len(want), strings.Join(want, "\n"))
			}
			told, err := j.Schema(schemas[0], schemas[1])
			if err != nil || !told.Equal(schema) {
				t.Fatalf("Schema says %v, %v, but it is %v", told, err, schema)
			}
			if r != nil {
				assertNothingTaken(t, r)
			}
		}
	})
}

func TestColumnsOfTheResult(t *testing.T) {
	left := arrow.NewSchema([]arrow.Field{{Name: "k", Type: int64Type}, {Name: "a", Type: codedType}, {Name: "n", Type: int64Type}}, nil)
	right := arrow.NewSchema([]arrow.Field{{Name: "k", Type: arrow.PrimitiveTypes.Int8}, {Name: "a", Type: stringType}, {Name: "m", Type: int64Type}}, nil)
	k, both := []JoinKey{{"k", "k"}}, []JoinKey{{"k", "k"}, {"a", "a"}}
	for want, j := range map[string]Join{
		"k int64, a utf8, n int64, k_right int8, a_right utf8, m int64":       {On: k},
		"k int64, a utf8, n int64, k_right int8?, a_right utf8?, m int64?":    {On: k, Kind: LeftJoin},
		"k int64?, a utf8?, n int64?, k.2 int8, a.2 utf8, m int64":            {On: k, Kind: RightJoin, Suffix: ".2"},
		"k int64?, a utf8?, n int64?, k_right int8?, a_right utf8?, m int64?": {On: both, Kind: FullJoin},
		"k int64, a utf8, n int64, m int64":                                   {On: both, Using: true},
		"k int64, a utf8, n int64, m int64?":                                  {On: both, Using: true, Kind: LeftJoin},
		"k int8, a utf8, n int64?, m int64":                                   {On: both, Using: true, Kind: RightJoin},
		"k int64?, a utf8, n int64?, k_right int8?, m int64?":                 {On: []JoinKey{{"a", "a"}}, Using: true, Kind: FullJoin},
		"k int64, a utf8, n int64":                                            {On: k, Kind: SemiJoin},
		"k int64, a utf8, n int64 ":                                           {On: k, Kind: AntiJoin, Where: "n < m and a != a_right"},
		"k int64, a utf8, n int64, a_right utf8, m int64":                     {On: k, Using: true},
		"k int64, a utf8, n int64, k_right int8, a_right utf8, m int64 ":      {On: []JoinKey{{"n", "m"}}, Using: true},
	} {
		schema, err := j.Schema(left, right)
		if err != nil {
			t.Errorf("%+v: %v", j, err)
			continue
		}
		var got []string
		for _, f := range schema.Fields() {
			text := f.Name + " " + f.Type.String()
			if f.Nullable {
				text += "?"
			}
			got = append(got, text)
		}
		if got := strings.Join(got, ", "); got != strings.TrimSpace(want) {
			t.Errorf("%+v has\n%s\nwant\n%s", j, got, want)
		}
	}
}

func TestAJoinThatMakesNoSenseIsExplained(t *testing.T) {
	left := arrow.NewSchema([]arrow.Field{field("id", int64Type), field("name", codedType), field("id_right", int64Type)}, nil)
	right := arrow.NewSchema([]arrow.Field{field("id", arrow.PrimitiveTypes.Int8), field("nam", float64Type)}, nil)
	id := []JoinKey{{"id", "id"}}
	for want, j := range map[string]Join{
		"no columns to join on": {},
		`left input: unknown column "iid"; did you mean "id"?
right input: unknown column "name"; did you mean "nam"?`: {On: []JoinKey{{"iid", "id"}, {"name", "name"}}},
		`column "name" of the left input is of type text and "nam" of the right of type float64, which cannot be compared; cast one of them before the join`:                      {On: []JoinKey{{"name", "nam"}}},
		`unknown kind of join "outer"; have inner, left, right, full, semi, anti`:                                                                                                 {On: id, Kind: "outer"},
		`two columns of the result would be called "id_right"; choose another suffix for columns of the right input whose name is one of the left, or rename one before the join`: {On: id},
		`column "id" is of type int64 in the left input and int8 in the right: to be one column of a full join both must be the same`:                                             {On: id, Using: true, Kind: FullJoin},
		`-1 workers: there must be at least 1, or 0 for as many as there are processors`:                                                                                          {On: id, Workers: -1},
	} {
		if _, err := j.Schema(left, right); err == nil || err.Error() != want {
			t.Errorf("%v, want\n%s", err, want)
		}
	}
	var unknown *expr.Error
	if _, err := (Join{On: id, Suffix: "_2", Where: "nan > 1"}).Schema(left, right); !errors.As(err, &unknown) || unknown.Column != "nan" {
		t.Errorf("%v", err)
	}
	if _, err := (Join{On: id, Suffix: "_2", Where: "nam + 1"}).Schema(left, right); err == nil || !strings.Contains(err.Error(), "not true or false") {
		t.Errorf("%v", err)
	}
}

// keyNumbers are rows of a key and a number.
func keyNumbers(rows ...[]any) arrow.RecordBatch {
	return batchOf(arrow.NewSchema([]arrow.Field{field("k", int64Type), field("n", int64Type)}, nil), rows...)
}

func TestAFullJoinTakesKeysFromWhicheverRowThereIs(t *testing.T) {
	left, right := keyNumbers([]any{1, 10}, []any{2, 20}), keyNumbers([]any{2, 200}, []any{3, 300})
	defer left.Release()
	defer right.Release()
	j := Join{Kind: FullJoin, On: []JoinKey{{"k", "k"}}, Using: true}
	got, _, err := joinIn(t, nil, j, []arrow.RecordBatch{left}, []arrow.RecordBatch{right})
	want := asText([][]any{{int64(1), int64(10), nil}, {int64(2), int64(20), int64(200)}, {int64(3), nil, int64(300)}})
	slices.Sort(want)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
}

// Where both inputs come from one fan-out that keeps nothing back, each has to be read while the
// other is, to the end.
func TestBothInputsMayComeFromOneFanOut(t *testing.T) {
	for _, limit := range []int64{0, 1 << 20} {
		r := newResource(t, max(limit, 1<<16))
		if limit == 0 {
			r = nil
		}
		side := keyed{20000, spread(20000), 40}
		net := sluice.NewNetwork("test", sluice.WithMemory(r))
		rows, l, rt, out := net.Channel("rows"), net.Channel("l"), net.Channel("r"), net.Channel("out")
		net.Node("rows", side.source(rows), sluice.Writes(rows))
		net.Node(ops.Broadcast("both", rows, []*sluice.Channel{l, rt}))
		net.Node(Join{Kind: SemiJoin, On: []JoinKey{{"n", "n"}}}.Node("join", l, rt, out))
		n := 0
		net.Node("sink", func(ctx context.Context) error {
			return eachChunk(ctx, out, func(_ *sluice.Message, chunk *Chunk) error { n += chunk.Rows(); return nil })
		}, reads(out))
		if err := net.Run(t.Context()); err != nil || n != side.rows {
			t.Errorf("%d rows, %v", n, err)
		}
	}
}

func TestTheFailureOfASideEndsTheJoin(t *testing.T) {
	broken := errors.New("broken")
	for _, r := range []*mem.Resource{nil, newResource(t, 1<<20)} {
		for _, rows := range []int{100, 20000} {
			for s := range 2 {
				net := sluice.NewNetwork("test", sluice.WithMemory(r))
				in, out := []*sluice.Channel{net.Channel("l"), net.Channel("r")}, net.Channel("out")
				k := keyed{rows, spread(rows), 40}
				net.Node("good", k.source(in[s]), sluice.Writes(in[s]))
				net.Node("bad", func(ctx context.Context) error {
					if err := k.source(in[1-s])(ctx); err != nil {
						return err
					}
					return broken
				}, sluice.Writes(in[1-s]))
				net.Node(Join{On: []JoinKey{{"n", "n"}}}.Node("join", in[0], in[1], out))
				net.Node("sink", func(ctx context.Context) error {
					return eachChunk(ctx, out, func(*sluice.Message, *Chunk) error { return nil })
				}, reads(out))
				if err := net.Run(t.Context()); !errors.Is(err, broken) {
					t.Errorf("%v", err)
				}
			}
		}
	}
}

func TestAJoinStopsItsInputsWhenNobodyWantsMore(t *testing.T) {
	for _, r := range []*mem.Resource{nil, newResource(t, 1<<20)} {
		for _, rows := range [][2]int{{100, math.MaxInt}, {math.MaxInt, 100}} {
			net := sluice.NewNetwork("test", sluice.WithMemory(r))
			l, rt, out := net.Channel("l"), net.Channel("r"), net.Channel("out")
			stopped := 0
			for i, c := range []*sluice.Channel{l, rt} {
				k := keyed{rows[i], spread(1000), 40}
				net.Node(c.Name(), func(ctx context.Context) error {
					err := k.source(c)(ctx)
					if errors.Is(err, sluice.ErrStopped) {
						stopped++ // one of them: the other had ended
					}
					return err
				}, sluice.Writes(c))
			}
			net.Node(Join{Kind: FullJoin, On: []JoinKey{{"n", "n"}}}.Node("join", l, rt, out))
			net.Node("sink", func(ctx context.Context) error {
				m, err := out.Recv(ctx)
				m.Release()
				return err
			}, sluice.Reads(out))
			if err := net.Run(t.Context()); err != nil {
				t.Errorf("%v", err)
			}
			if stopped != 1 {
				t.Errorf("%d inputs were stopped", stopped)
			}
		}
	}
}

// The sink cancels after so many chunks; the sources after so many rows.
func TestAJoinEndsWhereverItIsCancelled(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SampledFrom([]int{200, 6000}).Draw(t, "rows")
		after := rapid.IntRange(0, 2*rows).Draw(t, "after")
		limit := rapid.SampledFrom([]int64{256 << 10, 16 << 20}).Draw(t, "limit")
		r := makeResource(spillDir(), limit)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		var made atomic.Int64
		count := func(row int) (int, bool) {
			if made.Add(1) == int64(after) {
				cancel()
			}
			return row, false
		}
		sides := [2]keyed{{rows, count, 40}, {rows, count, 40}}
		net := sluice.NewNetwork("test", sluice.WithMemory(r))
		l, rt, out := net.Channel("l"), net.Channel("r"), net.Channel("out")
		net.Node("left", sides[0].source(l), sluice.Writes(l))
		net.Node("right", sides[1].source(rt), sluice.Writes(rt))
		net.Node(Join{Kind: FullJoin, On: []JoinKey{{"k", "k"}}, Workers: 2}.Node("join", l, rt, out))
		chunks := rapid.IntRange(0, 20).Draw(t, "chunks")
		net.Node("sink", func(ctx context.Context) error {
			return eachChunk(ctx, out, func(*sluice.Message, *Chunk) error {
				if chunks--; chunks == 0 {
					cancel()
				}
				return nil
			})
		}, reads(out))
		if err := net.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		if err := r.Close(context.Background()); err != nil {
			t.Errorf("%v", err)
		}
	})
}

func TestAnInputWithoutAChunkIsNamed(t *testing.T) {
	right := keyNumbers([]any{1, 1})
	defer right.Release()
	_, _, err := joinIn(t, nil, Join{On: []JoinKey{{"k", "k"}}}, nil, []arrow.RecordBatch{right})
	if err == nil || !strings.Contains(err.Error(), `left input (channel "l") has ended without a single chunk`) {
		t.Errorf("%v", err)
	}
	rows, schema, err := joinIn(t, nil, Join{On: []JoinKey{{"k", "k"}}}, nil, nil)
	if rows != nil || schema != nil || err != nil {
		t.Errorf("of nothing: %v, %v, %v", rows, schema, err)
	}
}

func TestAConditionWithoutAValueEndsTheJoin(t *testing.T) {
	left, right := keyNumbers([]any{1, 0}), keyNumbers([]any{1, 7})
	defer left.Release()
	defer right.Release()
	j := Join{On: []JoinKey{{"k", "k"}}, Where: "n_right // n > 1"}
	_, _, err := joinIn(t, nil, j, []arrow.RecordBatch{left}, []arrow.RecordBatch{right})
	if !errors.Is(err, expr.ErrDivisionByZero) || !strings.Contains(err.Error(), "condition: ") {
		t.Errorf("%v", err)
	}
}

func TestAConditionWithoutAValueNamesTheKeysOfThePair(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("day", arrow.FixedWidthTypes.Date32), field("who", arrow.BinaryTypes.String), field("n", int64Type)}, nil)
	left := batchOf(schema, []any{1, "a", 1}, []any{1, `b"`, 2}, []any{2, `b"`, 0})
	right := batchOf(schema, []any{2, "a", 7}, []any{1, "a", 7}, []any{2, `b"`, 7})
	defer left.Release()
	defer right.Release()
	const want = `condition: rows with day = 1970-01-03, who = "b\"": "n_right // n > 1", character 1: "n_right // n": division by zero: 7 // 0`
	for _, kind := range []JoinKind{InnerJoin, LeftJoin, FullJoin, SemiJoin} {
		j := Join{Kind: kind, On: []JoinKey{{"day", "day"}, {"who", "who"}}, Where: "n_right // n > 1"}
		_, _, err := joinIn(t, nil, j, []arrow.RecordBatch{left}, []arrow.RecordBatch{right})
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v", kind, err)
		}
		var row *expr.RowError
		if !errors.As(err, &row) || row.Row >= 0 {
			t.Errorf("%s: %+v has a row", kind, row)
		}
	}
}
