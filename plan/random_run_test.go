package plan_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"pgregory.net/rapid"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/internal/size"
	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/plan"
	"github.com/seed14ed4225/sluice/table"
)

// collected is what a node of the kind collect has received.
type collected struct {
	mu struct {
		sync.Mutex
		rows [][]any
	}
	schema *arrow.Schema
}

type collect struct{ into *collected }

func (c *collect) Schema(in []*arrow.Schema) ([]*arrow.Schema, error) {
	c.into.schema = in[0]
	return nil, nil
}

func (c *collect) Add(to *sluice.Network, at plan.Place) error {
	to.Node(at.Name, func(ctx context.Context) error {
		for m, err := range at.In[0].All(ctx) {
			if err != nil {
				return err
			}
			chunk, err := sluice.Peek[*table.Chunk](&m)
			if err != nil {
				return err
			}
			c.into.mu.Lock()
			batch := chunk.Batch()
			for row := range int(batch.NumRows()) {
				values := make([]any, batch.NumCols())
				for column := range values {
					values[column] = valueAt(batch.Column(column), row)
				}
				c.into.mu.rows = append(c.into.mu.rows, values)
			}
			c.into.mu.Unlock()
			m.Release()
		}
		return nil
	}, sluice.Reads(at.In...).At(mem.Host))
	return nil
}

func kindsAndCollect(into *collected) plan.Kinds {
	return append(plan.Builtin(), plan.Kind{
		Name: "collect", Reads: plan.One, Settings: func() plan.Step { return &collect{into} },
	})
}

// A budget is what a job runs in; host is 0 for no limits.
type budget struct {
	host    int64
	workers int
}

func (b budget) String() string {
	if b.host == 0 {
		return fmt.Sprintf("%d workers without limits", b.workers)
	}
	return fmt.Sprintf("%d workers in %d bytes", b.workers, b.host)
}

// tally counts what the runs of all jobs came to.
type tally struct {
	jobs, limited, spilled, raised int
	kinds                          map[string]int
}

// run runs a job and returns what its node of the kind collect received, if it has one. If there is too little memory, it
// is run again with the limit that is said to do, which must be enough after a few times: as much as
// one step lacks is known, not what those behind it do.
func (y *tally) run(t *rapid.T, nodes []string, dir string, in budget) *collected {
	for range 4 {
		got, used, err := runOnce(t, nodes, dir, in)
		var short *mem.NoMemoryError
		if !errors.As(err, &short) {
			if err != nil {
				t.Fatalf("with %v: %v", in, err)
			}
			if in.host > 0 {
				host := used.Kinds[mem.Host]
				if host.Peak > in.host || host.Overbooked != 0 {
					t.Fatalf("with %v, host is %+v", in, host)
				}
				y.limited++
				y.spilled += btoi(host.Spilled > 0)
			}
			return got
		}
		advice := hostAdvice.FindStringSubmatch(err.Error())
		if advice == nil {
			t.Fatalf("with %v, and it does not say what would do: %v", in, err)
		}
		more, wrong := size.Parse(advice[1])
		if wrong != nil || more <= in.host {
			t.Fatalf("with %v, and %v is said to do: %v", in, advice[1], err)
		}
		y.raised++
		t.Logf("with %v: %v", in, err)
		in.host = more
	}
	t.Fatalf("the limit that is said to do never is")
	return nil
}

var hostAdvice = regexp.MustCompile(`--memory-host ([0-9.]+[A-Za-z]+)`)

func runOnce(t *rapid.T, nodes []string, dir string, in budget) (*collected, mem.Stats, error) {
	got := &collected{}
	src := fmt.Sprintf("workers: %d\nnodes:\n%s", in.workers, strings.Join(nodes, ""))
	if in.host > 0 {
		src = fmt.Sprintf("memory: {host: %d, disk: 256MiB, spill_dir: %q}\n%s", in.host, dir, src)
	}
	job, err := kindsAndCollect(got).Parse("job.yaml", []byte(src), nil)
	if err == nil {
		err = job.Check()
	}
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	memory, err := job.Memory(plan.Memory{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	err = job.Run(t.Context(), plan.Env{Memory: memory, Logger: quiet})
	used := memory.Stats()
	if closing := memory.Close(context.Background()); closing != nil {
		t.Fatalf("with %v: %v", in, closing)
	}
	if left, reading := os.ReadDir(dir); reading != nil || len(left) != 0 {
		t.Fatalf("with %v, what was spilled stays behind: %v, %v", in, left, reading)
	}
	return got, used, err
}

// check compares what came with what was to come.
func check(t *rapid.T, got *collected, want relation) {
	var names []string
	for _, f := range got.schema.Fields() {
		names = append(names, f.Name)
	}
	if !slices.Equal(names, namesOf(want.columns)) {
		t.Fatalf("columns are %q, want %q", names, namesOf(want.columns))
	}
	for i, f := range got.schema.Fields() {
		typ := f.Type
		if coded, ok := typ.(*arrow.DictionaryType); ok {
			typ = coded.ValueType
		}
		if c := want.columns[i]; !c.loose && !arrow.TypeEqual(typ, c.typ) || typ.ID() != c.typ.ID() {
			t.Fatalf("column %q is %v, want %v", f.Name, typ, c.typ)
		}
	}
	rows, others := got.mu.rows, want.rows
	if len(rows) != len(others) {
		t.Fatalf("%d rows, want %d:\n%s\nwant\n%s", len(rows), len(others), showRows(rows), showRows(others))
	}
	if !want.ordered {
		rows, others = arranged(rows, want.columns), arranged(others, want.columns)
	}
	for i := range rows {
		for c := range want.columns {
			if a, b := rows[i][c], others[i][c]; !alike(a, b, want.columns[c].approx) {
				t.Fatalf("row %d, column %q: %v, want %v\n%v\nwant\n%v", i, want.columns[c].name, a, b, rows[i], others[i])
			}
		}
	}
}

// alike says whether values are equal, or nearly so if only that is promised.
func alike(a, b any, approx bool) bool {
	if !approx || a == nil || b == nil {
		return identity(a) == identity(b)
	}
	x, y := a.(float64), b.(float64)
	if x == y || math.IsNaN(x) && math.IsNaN(y) {
		return true
	}
	return math.Abs(x-y) <= 1e-9*max(1e-3, math.Abs(x), math.Abs(y))
}

// arranged puts rows into an order of their own: by what is exact, and then by what is not.
func arranged(rows [][]any, columns []columnOf) [][]any {
	var sure, others []int
	for i, c := range columns {
		if exact(c) {
			sure = append(sure, i)
		} else {
			others = append(others, i)
		}
	}
	type keyed struct {
		row []any
		key string
	}
	all := make([]keyed, len(rows))
	for i, row := range rows {
		all[i] = keyed{row, identityOf(row, sure)}
	}
	slices.SortFunc(all, func(a, b keyed) int {
		if by := strings.Compare(a.key, b.key); by != 0 {
			return by
		}
		for _, c := range others {
			x, y := a.row[c], b.row[c]
			if x == nil || y == nil {
				if by := btoi(x == nil) - btoi(y == nil); by != 0 {
					return by
				}
				continue
			}
			if !alike(x, y, true) {
				return compareValues(x, y)
			}
		}
		return 0
	})
	out := make([][]any, len(rows))
	for i := range all {
		out[i] = all[i].row
	}
	return out
}

func showRows(rows [][]any) string {
	var b strings.Builder
	for i, row := range rows {
		if i == 20 {
			fmt.Fprintf(&b, "... %d more\n", len(rows)-i)
			break
		}
		fmt.Fprintln(&b, row...)
	}
	return b.String()
}

// sink ends a job: in a node that collects, or in a file that another job, back, reads.
func (j *jobMaker) sink(out string, r relation) (want relation, back []string) {
	var inParquet, inCSV = true, true
	for _, c := range r.columns {
		switch c.typ.ID() {
		case arrow.DURATION:
			inParquet = false
		case arrow.TIME32, arrow.TIME64:
			inCSV = false
		}
	}
	switch n := j.pick(4); {
	case n == 0 && inParquet:
		file := filepath.Join(j.dir, "out.parquet")
		j.node("write", []string{out}, "file", file, "overwrite", true, "row_group_rows", 1+max(len(r.rows)/3, 50))
		back = j.reading("files", file)
	case n == 1 && inCSV:
		file := filepath.Join(j.dir, "out.csv")
		var types [][2]string
		r.columns = slices.Clone(r.columns)
		for i, c := range r.columns {
			typ := c.typ
			if of, ok := typ.(*arrow.Decimal128Type); ok {
				typ = &arrow.Decimal128Type{Precision: 38, Scale: of.Scale}
				r.columns[i].loose = true
			}
			types = append(types, [2]string{c.name, typeSetting(typ)})
		}
		j.node("write", []string{out}, "file", file, "overwrite", true)
		back = j.reading("files", file, "types", types)
	default:
		j.node("collect", []string{out})
	}
	return r, back
}

// reading makes the nodes of a job of their own that read a file.
func (j *jobMaker) reading(settings ...any) []string {
	own := &jobMaker{t: j.t, uses: j.uses}
	own.node("collect", []string{own.node("scan", nil, settings...)})
	return own.nodes
}
