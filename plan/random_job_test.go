package plan_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"pgregory.net/rapid"
)

// A jobMaker makes up the nodes of a job, and evaluates each on its own, row by row.
type jobMaker struct {
	t      *rapid.T
	dir    string
	most   int // rows of a table
	tables []*stored
	nodes  []string // in YAML
	uses   map[string]int
}

// mostJoined bounds the rows of a join, of which the naive evaluation looks at all pairs of a key.
const mostJoined = 20_000

// node adds a node and returns what it writes to. Settings are names and values in turn.
func (j *jobMaker) node(kind string, in []string, settings ...any) (out string) {
	name := fmt.Sprintf("n%d", len(j.nodes))
	parts := []string{"kind: " + kind}
	if len(in) > 0 {
		parts = append(parts, "in: "+asYAML(in))
	}
	for i := 0; i < len(settings); i += 2 {
		parts = append(parts, fmt.Sprintf("%s: %s", settings[i], asYAML(settings[i+1])))
	}
	if kind != "collect" && kind != "write" {
		out = "c" + name
		parts = append(parts, "out: "+out)
	}
	j.nodes = append(j.nodes, fmt.Sprintf("  %s: {%s}\n", name, strings.Join(parts, ", ")))
	j.uses[kind]++
	return out
}

// asYAML writes strings in quotes, which JSON's are for YAML, too. Settings stay in their order.
func asYAML(v any) string {
	if m, ok := v.([][2]string); ok {
		var parts []string
		for _, entry := range m {
			parts = append(parts, asYAML(entry[0])+": "+asYAML(entry[1]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	var b bytes.Buffer
	to := json.NewEncoder(&b)
	to.SetEscapeHTML(false)
	if err := to.Encode(v); err != nil {
		panic(err)
	}
	return strings.TrimSpace(b.String())
}

func (j *jobMaker) pick(n int) int { return pick(j.t, n) }

// tree makes up as many nodes as there are at most, of which the last writes to out.
func (j *jobMaker) tree(nodes int) (out string, r relation) {
	if nodes <= 1 {
		return j.scan()
	}
	if nodes >= 3 && j.pick(3) == 0 {
		if nodes >= 4 && j.pick(3) == 0 {
			return j.diamond(nodes)
		}
		if nodes >= 5 && j.pick(3) == 0 {
			left := 1 + j.pick(nodes-4)
			a, x := j.tree(left)
			b, y := j.tree(nodes - 3 - left)
			return j.union(a, b, x, y)
		}
		left := 1 + j.pick(nodes-2)
		a, x := j.tree(left)
		b, y := j.tree(nodes - 1 - left)
		return j.join(a, b, x, y)
	}
	in, r := j.tree(nodes - 1)
	if nodes == 2 && j.pick(2) == 0 { // a scan leaves out what the filter behind it does
		return j.filter(in, r)
	}
	return j.step(in, r)
}

// step adds a node of one input and one output, of any kind.
func (j *jobMaker) step(in string, r relation) (string, relation) {
	ops := []func(string, relation) (string, relation){j.filter, j.filter, j.project, j.project, j.aggregate, j.aggregate, j.distinct, j.sort, j.limit}
	return ops[j.pick(len(ops))](in, r)
}

// diamond gives all rows to two branches, which come together again.
func (j *jobMaker) diamond(nodes int) (string, relation) {
	before := 1 + j.pick(nodes-3)
	in, r := j.tree(before)
	a, b := j.broadcast(in)
	x, y := r, relation{columns: slices.Clone(r.columns), ordered: r.ordered}
	for _, row := range r.rows {
		y.rows = append(y.rows, slices.Clone(row))
	}
	united := nodes-before >= 4 && j.pick(2) == 0 // with two nodes that rename columns
	for range nodes - before - 2 - 2*btoi(united) {
		if j.pick(2) == 0 {
			a, x = j.step(a, x)
		} else {
			b, y = j.step(b, y)
		}
	}
	if united {
		return j.union(a, b, x, y)
	}
	return j.join(a, b, x, y)
}

func (j *jobMaker) broadcast(in string) (a, b string) {
	name := fmt.Sprintf("n%d", len(j.nodes))
	a, b = "a"+name, "b"+name
	j.nodes = append(j.nodes, fmt.Sprintf("  %s: {kind: broadcast, in: %s, out: [%s, %s]}\n", name, in, a, b))
	j.uses["broadcast"]++
	return a, b
}

func (j *jobMaker) scan() (string, relation) {
	var s *stored
	if n := len(j.tables); n > 0 && (n == 3 || j.pick(2) == 0) {
		s = j.tables[j.pick(n)]
	} else {
		s = drawTable(j.t, j.dir, fmt.Sprintf("t%d", n), j.most)
		j.tables = append(j.tables, s)
	}
	settings := []any{"files", s.files}
	r := relation{columns: s.columns, rows: s.rows, ordered: true}
	if s.csv {
		var types [][2]string
		for _, c := range s.columns {
			types = append(types, [2]string{c.name, typeSetting(c.typ)})
		}
		settings = append(settings, "types", types)
	}
	if j.pick(3) == 0 {
		wanted := j.some(s.columns, func(columnOf) bool { return true })
		r = choose(r, wanted)
		settings = append(settings, "columns", namesOf(r.columns))
	}
	if j.pick(4) > 0 {
		settings = append(settings, "rows", max(len(s.rows)/20, 1+j.pick(10)))
	}
	return j.node("scan", nil, settings...), r
}

func typeSetting(typ arrow.DataType) string {
	switch typ := typ.(type) {
	case *arrow.Decimal128Type:
		return fmt.Sprintf("decimal(%d, %d)", typ.Precision, typ.Scale)
	case *arrow.TimestampType:
		if typ.TimeZone != "" {
			return fmt.Sprintf("timestamp[%s, %s]", typ.Unit, typ.TimeZone)
		}
		return fmt.Sprintf("timestamp[%s]", typ.Unit)
	case *arrow.Date32Type:
		return "date"
	case *arrow.StringType:
		return "text"
	}
	return typ.String()
}

// some draws one or more of the columns, in any order; nil if none is as wanted.
func (j *jobMaker) some(of []columnOf, wanted func(columnOf) bool) []int {
	var all []int
	for i, c := range of {
		if wanted(c) {
			all = append(all, i)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return rapid.Permutation(all).Draw(j.t, "columns")[:1+j.pick(len(all))]
}

func exact(c columnOf) bool { return !c.approx }

func choose(r relation, columns []int) relation {
	chosen := relation{ordered: r.ordered}
	for _, c := range columns {
		chosen.columns = append(chosen.columns, r.columns[c])
	}
	for _, row := range r.rows {
		part := make([]any, len(columns))
		for i, c := range columns {
			part[i] = row[c]
		}
		chosen.rows = append(chosen.rows, part)
	}
	return chosen
}

func namesOf(columns []columnOf) []string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
	}
	return names
}

// workers are sometimes settings of the node, and else of the job.
func (j *jobMaker) workers(settings []any) []any {
	if j.pick(4) == 0 {
		return append(settings, "workers", 1+j.pick(3))
	}
	return settings
}

func (j *jobMaker) filter(in string, r relation) (string, relation) {
	c := &composer{j.t, r.columns}
	where := c.truth(j.pick(3))
	if x, ok := c.column(func(of columnOf) bool { return !of.loose }); ok && j.pick(2) == 0 { // which a scan may take up
		if y, ok := c.literal(x.typ); ok {
			where = c.comparison(x, y)
		}
	}
	kept := relation{columns: r.columns, ordered: r.ordered}
	for _, row := range r.rows {
		v, err := where.eval(row)
		if err != nil {
			return j.sort(in, r) // a job with an error is another test's
		}
		if v == true {
			kept.rows = append(kept.rows, row)
		}
	}
	return j.node("filter", []string{in}, j.workers([]any{"where", where.text})...), kept
}

func (j *jobMaker) project(in string, r relation) (string, relation) {
	kept := j.some(r.columns, func(columnOf) bool { return true })
	made := choose(r, kept)
	settings := []any{"columns", namesOf(made.columns)}
	if j.pick(3) == 0 {
		made, settings = relation{ordered: r.ordered, rows: make([][]any, len(r.rows))}, nil
	}
	var computed [][2]string
	for i := range 1 + j.pick(3) {
		f := (&composer{j.t, r.columns}).any(2)
		values := make([]any, len(r.rows))
		var err error
		for row := range r.rows {
			if values[row], err = f.eval(r.rows[row]); err != nil {
				break
			}
		}
		if err != nil {
			continue
		}
		name := fmt.Sprintf("x%d_%d", len(j.nodes), i)
		computed = append(computed, [2]string{name, f.text})
		made.columns = append(made.columns, columnOf{name: name, typ: f.typ, loose: f.loose})
		for row := range made.rows {
			made.rows[row] = append(made.rows[row], values[row])
		}
	}
	if len(made.columns) == 0 {
		return j.sort(in, r)
	}
	if computed != nil {
		settings = append(settings, "compute", computed)
	}
	return j.node("project", []string{in}, j.workers(settings)...), made
}

func (j *jobMaker) sort(in string, r relation) (string, relation) {
	keys := j.some(r.columns, exact)
	if keys == nil {
		return j.limit(in, r)
	}
	var by []string
	var sign, nulls []int
	for _, k := range keys {
		text := quotedName(r.columns[k].name)
		s, n := 1, 1
		switch j.pick(3) {
		case 0:
			text += " asc"
		case 1:
			text, s = text+" desc", -1
		}
		if j.pick(2) == 0 {
			text, n = text+" nulls first", -1
		}
		by, sign, nulls = append(by, text), append(sign, s), append(nulls, n)
	}
	sorted := relation{columns: r.columns, rows: slices.Clone(r.rows), ordered: r.ordered || len(keys) == len(r.columns)}
	slices.SortStableFunc(sorted.rows, func(a, b []any) int {
		for i, k := range keys {
			x, y := a[k], b[k]
			switch {
			case x == nil && y == nil:
			case x == nil:
				return nulls[i]
			case y == nil:
				return -nulls[i]
			default:
				if by := compareValues(x, y); by != 0 {
					return by * sign[i]
				}
			}
		}
		return 0
	})
	settings := []any{"by", by}
	if sorted.ordered && j.pick(3) == 0 {
		limit := 1 + j.pick(max(len(r.rows), 5))
		sorted.rows = sorted.rows[:min(limit, len(sorted.rows))]
		settings = append(settings, "limit", limit)
	}
	return j.node("sort", []string{in}, settings...), sorted
}

// limit takes some of the rows if it is known which, and otherwise all.
func (j *jobMaker) limit(in string, r relation) (string, relation) {
	if !r.ordered {
		return j.node("limit", []string{in}, "rows", len(r.rows)+1), r
	}
	rows, offset := 1+j.pick(max(len(r.rows), 5)), j.pick(max(len(r.rows)/2, 1))
	settings := []any{"rows", rows}
	if offset > 0 {
		settings = append(settings, "offset", offset)
	}
	from := min(offset, len(r.rows))
	r.rows = r.rows[from:min(from+rows, len(r.rows))]
	return j.node("limit", []string{in}, settings...), r
}

func (j *jobMaker) distinct(in string, r relation) (string, relation) {
	all := true
	for _, c := range r.columns {
		all = all && exact(c)
	}
	keys := j.some(r.columns, exact)
	if keys == nil || !all && !r.ordered {
		return j.limit(in, r)
	}
	var settings []any
	if all && (!r.ordered || j.pick(2) == 0) {
		keys = keys[:0]
		for c := range r.columns {
			keys = append(keys, c)
		}
	} else {
		settings = []any{"by", namesOf(choose(relation{columns: r.columns}, keys).columns)}
	}
	seen := map[string]bool{}
	first := relation{columns: r.columns}
	for _, row := range r.rows {
		if id := identityOf(row, keys); !seen[id] {
			seen[id] = true
			first.rows = append(first.rows, row)
		}
	}
	return j.node("distinct", []string{in}, j.workers(settings)...), first
}

// union puts together two branches, of which it renames and chooses columns so that they agree.
func (j *jobMaker) union(a, b string, x, y relation) (string, relation) {
	var from, to []int
	taken := map[int]bool{}
	for i, c := range x.columns {
		for k, d := range y.columns {
			if !taken[k] && !c.loose && !d.loose && arrow.TypeEqual(c.typ, d.typ) {
				taken[k] = true
				from, to = append(from, i), append(to, k)
				break
			}
		}
	}
	if len(from) == 0 {
		return j.join(a, b, x, y)
	}
	rename := func(in string, r relation, columns []int) (string, relation) {
		r = choose(r, columns)
		var computed [][2]string
		for i := range r.columns {
			name := fmt.Sprintf("u%d", i)
			computed = append(computed, [2]string{name, quotedName(r.columns[i].name)})
			r.columns[i].name = name
		}
		return j.node("project", []string{in}, "compute", computed), r
	}
	a, x = rename(a, x, from)
	b, y = rename(b, y, to)
	both := relation{columns: slices.Clone(x.columns), rows: append(slices.Clone(x.rows), y.rows...)}
	for i := range both.columns {
		both.columns[i].approx = x.columns[i].approx || y.columns[i].approx
	}
	return j.node("union", []string{a, b}), both
}
