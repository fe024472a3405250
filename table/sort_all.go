package table

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
)

// runs sorts everything: each batch for itself as it comes, and then merges. So
// sorting goes on while the input is read, no step is longer than a batch takes,
// and the runs are what later may lie elsewhere than in memory.
type runs struct {
	*kept
	sorted [][]entry // of each run, what was not given out yet; a heap by the first
	merged bool      // whether it is a heap already
	places []place   // scratch
}

func (r *runs) add(ctx context.Context, batch arrow.RecordBatch) error {
	r.kept.add(batch)
	run := r.entries()
	if err := r.sort(ctx, run); err != nil {
		return err
	}
	r.sorted = append(r.sorted, run)
	return nil
}

func (r *runs) next(ctx context.Context) (arrow.RecordBatch, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !r.merged {
		r.merged = true
		for i := len(r.sorted)/2 - 1; i >= 0; i-- {
			r.sink(i)
		}
	}
	r.places = r.places[:0]
	for len(r.sorted) > 0 && len(r.places) < chunkRows {
		run := r.sorted[0]
		r.places = append(r.places, run[0].place)
		if len(run) > 1 {
			r.sorted[0] = run[1:]
		} else {
			last := len(r.sorted) - 1
			r.sorted[0], r.sorted[last] = r.sorted[last], nil
			r.sorted = r.sorted[:last]
		}
		r.sink(0)
	}
	if len(r.places) == 0 {
		return nil, nil
	}
	return r.gather(ctx, r.places)
}

// sink moves the run at i down the heap to where it belongs.
func (r *runs) sink(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(r.sorted); child++ {
			if r.compare(r.sorted[child][0], r.sorted[least][0]) < 0 {
				least = child
			}
		}
		if least == i {
			return
		}
		r.sorted[i], r.sorted[least] = r.sorted[least], r.sorted[i]
		i = least
	}
}
