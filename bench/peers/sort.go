package main

import (
	"context"
	"fmt"
)

const (
	sortKeys = "delay desc, date, origin, destination, distance" // all columns: only equal rows tie

	sortJob = `
params: {file: }
nodes:
  scan: {kind: scan, files: "${file}", out: flights}
  sort: {kind: sort, in: flights, by: [` + sortKeys + `]%s, out: sorted}
  answer: {kind: answer, in: sorted}
`
)

// sort compares sorts of all flights, without and with a limit of memory, and the first
// ten. It is for information: there is no target.
func (b *bench) sort(ctx context.Context) {
	sql := "select * from " + quoted(b.flights) + " order by " + sortKeys
	all, ten := b.sortJob(""), b.sortJob(", limit: 10")
	b.compare(ctx, "sort of all flights, no limit", target{}, all.contender(), b.duck.contender(sql, true))
	b.compareLimited(ctx, "sort of all flights", target{}, all, sql)
	b.compare(ctx, "the ten latest flights", target{}, ten.contender(), b.duck.contender(sql+" limit 10", true))
}

// sortJob is the sort with more settings.
func (b *bench) sortJob(more string) job {
	return job{text: fmt.Sprintf(sortJob, more), params: map[string]string{"file": b.flights}, ordered: true}
}
