package main

import "context"

const groupsJob = `
params: {file: }
nodes:
  scan: {kind: scan, files: "${file}", out: lines}
  by_part:
    kind: aggregate
    in: lines
    by: [l_orderkey, l_partkey]
    compute: {lines: count, quantity: sum(l_quantity)}
    out: groups
  answer: {kind: answer, in: groups}
`

// groupLines compares an aggregate with nearly as many groups as rows, without a limit
// of memory and with one that the groups are several times as large as.
func (b *bench) groupLines(ctx context.Context) {
	const what = "groups by order and part"
	want := target{most: 2}
	sql := "select l_orderkey, l_partkey, count(*), sum(l_quantity) from " + quoted(b.lines) + " group by l_orderkey, l_partkey"
	b.compare(ctx, what+", no limit", want, b.groupsJob().contender(), b.duck.contender(sql, false))
	b.compareLimited(ctx, what, want, b.groupsJob(), sql)
}

func (b *bench) groupsJob() job {
	return job{text: groupsJob, params: map[string]string{"file": b.lines}}
}
