package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"
)

// speedUp compares how much faster a job gets with all threads in place of one with how
// much faster arithmetic in registers does, which is all that the machine has to give at the
// time. A ratio of 1 is perfect.
func (b *bench) speedUp(ctx context.Context) {
	b.speedUpOf(ctx, "flights by origin", b.flightsJob())
	b.speedUpOf(ctx, "groups by order and part", b.groupsJob())
}

// speedUpOf takes four times in each round, as close together as can be: the loop and the
// job, with one thread and with all.
func (b *bench) speedUpOf(ctx context.Context, what string, j job) {
	r := result{what: "speed-up of " + what, target: target{least: 0.9}}
	defer func() { b.add(r) }()
	if b.threads < 2 {
		r.err = errors.New("it takes two threads to compare with one; see -threads")
		return
	}
	var first answer
	var jobs, loops [2][]time.Duration // with one thread, and with all
	for round := range b.rounds + 1 {
		for i, threads := range []int{1, b.threads} {
			got, loop, job, err := timed(ctx, threads, j)
			switch {
			case err != nil:
				r.err = err
				return
			case round == 0 && i == 0:
				first = got
			case got != first:
				r.err = fmt.Errorf("%w: %d threads give %+v, before it was %+v", errWrong, threads, got, first)
				return
			}
			if round > 0 { // the first is to warm up
				loops[i], jobs[i] = append(loops[i], loop), append(jobs[i], job)
			}
		}
	}
	r.speedUps(jobs, loops, b.threads)
}

// speedUps fills in the result.
func (r *result) speedUps(jobs, loops [2][]time.Duration, threads int) {
	over := func(times [2][]time.Duration, pick func([]time.Duration) time.Duration) float64 {
		return float64(pick(times[0])) / float64(pick(times[1]))
	}
	job, loop := over(jobs, median), over(loops, median)
	r.ours, r.peers = fmt.Sprintf("%.2f times", job), fmt.Sprintf("arithmetic %.2f times", loop)
	r.ratio = job / loop
	r.fastest = over(jobs, slices.Min) / over(loops, slices.Min)
	var each []float64
	for i := range jobs[0] {
		at := func(times []time.Duration) time.Duration { return times[i] }
		each = append(each, over(jobs, at)/over(loops, at))
	}
	r.spread = spread(each)
	r.busy = loop < 0.75*float64(threads)
}

// timed runs the loop and the job with a number of threads.
func timed(ctx context.Context, threads int, j job) (found answer, loop, took time.Duration, err error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
	runtime.GC()
	start := time.Now()
	arithmetic(threads)
	loop = time.Since(start)
	start = time.Now()
	found, err = j.run(ctx)
	return found, loop, time.Since(start), err
}

// arithmetic does a fixed amount of work that needs no memory, in equal parts.
func arithmetic(parts int) {
	const steps = 200_000_000
	var done sync.WaitGroup
	sums := make([]uint64, parts)
	for part := range parts {
		done.Go(func() {
			x := uint64(part) | 1
			for range steps / parts {
				x = x*factor + 1
			}
			sums[part] = x // so that the loop is not left out
		})
	}
	done.Wait()
	runtime.KeepAlive(sums)
}
