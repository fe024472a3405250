package main

import (
	"context"
	"fmt"

	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/plan"
)

// compareLimited compares a job and a query in the limit of memory, with a folder to spill
// to. DuckDB gets more if it cannot run in that, and the report says how much.
func (b *bench) compareLimited(ctx context.Context, what string, want target, j job, sql string) {
	limit := fmt.Sprintf("%s, in %s", what, sized(b.limit))
	d, theirs, err := b.limitedDuck(sql)
	if err != nil {
		b.add(result{what: limit, target: want, err: err})
		return
	}
	defer d.close()
	if theirs != b.limit {
		limit += " (DuckDB in " + sized(theirs) + ")"
	}
	j.memory = plan.Memory{Host: mem.Bytes(b.limit), SpillDir: b.folder}
	b.compare(ctx, limit, want, j.contender(), d.contender(sql, j.ordered))
}

// limitedDuck opens a database with the least limit in which DuckDB can run a query: that
// of the comparison or, step by step, half as much again.
func (b *bench) limitedDuck(sql string) (*duck, int64, error) {
	var failed error
	for limit := b.limit; limit <= 16*b.limit; limit += limit / 2 {
		d, err := openDuck(b.duckSettings("memory_limit="+sized(limit), "preserve_insertion_order=false")...)
		if err != nil {
			return nil, 0, err
		}
		if _, failed = d.query(sql, false); failed == nil {
			return d, limit, nil
		}
		d.close()
	}
	return nil, 0, fmt.Errorf("DuckDB cannot run in 16 times the limit: %w", failed)
}

// sized is a number of bytes as people and DuckDB read it.
func sized(bytes int64) string {
	if bytes%(1<<20) == 0 {
		return fmt.Sprintf("%dMiB", bytes>>20)
	}
	return fmt.Sprintf("%dKiB", bytes>>10)
}
