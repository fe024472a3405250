package main

import (
	"context"
	"fmt"
)

const (
	// A few of the lines are joined with all: a small table that very many rows go past.
	bulkJob = `
params: {file: }
nodes:
  scan: {kind: scan, files: "${file}", columns: [l_partkey, l_quantity], out: lines}
  all: {kind: scan, files: "${file}", columns: [l_orderkey, l_partkey], out: all}
  bulk: {kind: filter, in: lines, where: l_quantity = 50, out: bulk}
  join: {kind: join, in: [all, bulk], on: l_partkey, out: pairs}
  sum: {kind: aggregate, in: pairs, compute: {pairs: count, quantity: sum(l_quantity), last: max(l_orderkey)}, out: sums}
  answer: {kind: answer, in: sums}
`
	// All lines are joined with all: neither side is small.
	orderJob = `
params: {file: }
nodes:
  a: {kind: scan, files: "${file}", out: a}
  b: {kind: scan, files: "${file}", out: b}
  join: {kind: join, in: [a, b], on: l_orderkey, where: l_partkey < l_partkey_right, out: pairs}
  sum: {kind: aggregate, in: pairs, compute: {pairs: count, quantity: sum(l_quantity), last: max(l_partkey_right)}, out: sums}
  answer: {kind: answer, in: sums}
`
	// Keys that very many rows have on both sides, and a condition that hardly any pair meets.
	lateJob = `
params: {file: }
nodes:
  a: {kind: scan, files: "${file}", columns: [origin, date, delay], out: a}
  b: {kind: scan, files: "${file}", columns: [origin, date, delay], out: b}
  late: {kind: filter, in: a, where: delay > 120, out: late}
  later: {kind: filter, in: b, where: delay > 240, out: later}
  join: {kind: join, in: [late, later], on: origin, where: delay + delay_right = 600 and date < date_right, out: pairs}
  sum: {kind: aggregate, in: pairs, compute: {pairs: count, first: min(date), last: max(date_right)}, out: sums}
  answer: {kind: answer, in: sums}
`
)

// join compares joins, of which DuckDB is given the same order of inputs. It is for information: there is
// no target.
func (b *bench) join(ctx context.Context) {
	of := func(text, file string) job { return job{text: text, params: map[string]string{"file": file}} }
	lines, flights := quoted(b.lines), quoted(b.flights)
	b.compare(ctx, "lines joined with few by part", target{}, of(bulkJob, b.lines).contender(), b.duck.contender(fmt.Sprintf(
		"select count(*), sum(r.l_quantity), max(l.l_orderkey) from %s l join %s r on l.l_partkey = r.l_partkey where r.l_quantity = 50",
		lines, lines), false))
	orders := fmt.Sprintf("select count(*), sum(l.l_quantity), max(r.l_partkey) from %s l join %s r "+
		"on l.l_orderkey = r.l_orderkey and l.l_partkey < r.l_partkey", lines, lines)
	b.compare(ctx, "lines joined with all by order, no limit", target{}, of(orderJob, b.lines).contender(), b.duck.contender(orders, false))
	b.compareLimited(ctx, "lines joined with all by order", target{}, of(orderJob, b.lines), orders)
	b.compare(ctx, "late flights joined by origin, with a condition", target{}, of(lateJob, b.flights).contender(), b.duck.contender(fmt.Sprintf(
		"select count(*), min(l.date), max(r.date) from %s l join %s r on l.origin = r.origin and l.delay + r.delay = 600 and l.date < r.date "+
			"where l.delay > 120 and r.delay > 240", flights, flights), false))
}
