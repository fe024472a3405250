package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"
)

// A contender is one side of a comparison.
type contender struct {
	name string
	run  func(context.Context) (answer, error)
}

// A timing is what a contender took.
type timing struct {
	name   string
	rounds []time.Duration // nil if it failed
	err    error
}

func (t timing) median() time.Duration { return median(t.rounds) }

// errWrong is what an answer is that differs from the others.
var errWrong = errors.New("wrong answer")

// compare adds a line to the report: how long the first contender takes against the best of
// the others.
func (b *bench) compare(ctx context.Context, what string, want target, contenders ...contender) {
	times, err := race(ctx, b.rounds, contenders...)
	if err != nil {
		b.add(result{what: what, target: want, err: err})
		return
	}
	b.add(against(what, times, want))
}

// race runs the contenders by turns, once to warm up and then a number of rounds, every
// other one in reverse, so that what disturbs the machine disturbs them all. All of their
// answers have to be the same, each time. One that fails is left out of the rounds that
// follow; an answer that differs ends the race.
func race(ctx context.Context, rounds int, contenders ...contender) ([]timing, error) {
	times := make([]timing, len(contenders))
	var first *answer
	for round := range rounds + 1 {
		for turn := range contenders {
			i := turn
			if round%2 == 1 {
				i = len(contenders) - 1 - turn
			}
			t := &times[i]
			if t.name = contenders[i].name; t.err != nil {
				continue
			}
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			runtime.GC() // nobody pays for what another has left
			start := time.Now()
			got, err := contenders[i].run(ctx)
			took := time.Since(start)
			switch {
			case err != nil:
				t.rounds, t.err = nil, err
				continue
			case first == nil:
				first = &got
			case got != *first:
				return nil, fmt.Errorf("%w: %s gives %+v, before it was %+v", errWrong, t.name, got, *first)
			}
			if round > 0 {
				t.rounds = append(t.rounds, took)
			}
		}
	}
	return times, nil
}

func median[T ~int64 | ~float64](values []T) T {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// failures joins the errors of those that failed.
func failures(times []timing) error {
	var errs []error
	for _, t := range times {
		if t.err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", t.name, t.err))
		}
	}
	return errors.Join(errs...)
}
