package main

import "context"

const distinctJob = `
params: {file: }
nodes:
  scan: {kind: scan, files: "${file}", out: lines}
  by_order:
    kind: aggregate
    in: lines
    by: [l_orderkey]
    compute: {parts: count(distinct l_partkey), quantities: count(distinct l_quantity)}
    out: groups
  answer: {kind: answer, in: groups}
`

// countDistinct compares how the different values of two columns are counted in many groups, without a
// limit of memory and with one.
func (b *bench) countDistinct(ctx context.Context) {
	const what = "different parts and quantities by order"
	sql := "select l_orderkey, count(distinct l_partkey), count(distinct l_quantity) from " + quoted(b.lines) + " group by l_orderkey"
	j := job{text: distinctJob, params: map[string]string{"file": b.lines}}
	b.compare(ctx, what+", no limit", target{}, j.contender(), b.duck.contender(sql, false))
	b.compareLimited(ctx, what, target{}, j, sql)
}
