package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// A result is a line of the report.
type result struct {
	what        string
	ours, peers string  // what was measured of each
	ratio       float64 // of ours to the best peer; 0 if there is none
	fastest     float64 // the same for the fastest round of each, which a busy machine disturbs least
	spread      string  // of the ratio over the rounds
	target      target
	busy        bool // the machine was: the ratio says nothing
	err         error
}

// A target is what a ratio has to be. The zero value is for information only.
type target struct {
	most, least float64
}

func (t target) String() string {
	switch {
	case t.most > 0:
		return fmt.Sprintf("at most %.2g", t.most)
	case t.least > 0:
		return fmt.Sprintf("at least %.2g", t.least)
	default:
		return ""
	}
}

func (t target) met(ratio float64) bool {
	return (t.most == 0 || ratio <= t.most) && ratio >= t.least
}

// What is wrong with a ratio that nothing failed for.
var (
	errMissed = errors.New("the target is missed")
	errBusy   = errors.New("other work has taken the processors, so the ratio says nothing; try again when the machine is idle")
)

// verdict says in a word what came of it.
func (r result) verdict() string {
	switch {
	case r.err != nil:
		return "FAILED"
	case r.busy:
		return "too busy"
	case r.target == target{}:
		return ""
	case r.target.met(r.ratio):
		return "met"
	default:
		return "missed"
	}
}

// against makes a result of Sluice, which is the first of the times, and the others, of
// which the fastest counts.
func against(what string, times []timing, want target) result {
	r := result{what: what, target: want, err: failures(times)}
	peers := slices.SortedStableFunc(slices.Values(times[1:]), func(a, b timing) int {
		return cmp.Compare(a.median(), b.median())
	})
	var texts []string
	for _, p := range peers {
		texts = append(texts, p.name+" "+p.text())
	}
	ours, best := times[0], peers[0]
	r.ours, r.peers = ours.text(), strings.Join(texts, ", ")
	if r.err == nil {
		r.ratio = float64(ours.median()) / float64(best.median())
		var each []float64
		for i := range ours.rounds {
			each = append(each, float64(ours.rounds[i])/float64(best.rounds[i]))
		}
		r.spread = spread(each)
		r.fastest = float64(slices.Min(ours.rounds)) / float64(slices.Min(best.rounds))
	}
	return r
}

func (t timing) text() string {
	if t.err != nil {
		return "failed"
	}
	if d := t.median(); d < 100*time.Millisecond {
		return d.Round(100 * time.Microsecond).String()
	}
	return t.median().Round(time.Millisecond).String()
}

func spread(ratios []float64) string {
	return fmt.Sprintf("%.2f to %.2f", slices.Min(ratios), slices.Max(ratios))
}

// A report is written as it grows, as a table in Markdown.
type report struct {
	to      io.Writer
	results []result
}

func (r *report) heading() {
	_, _ = fmt.Fprint(r.to, "| what | Sluice | peers | ratio | of the fastest rounds | over all rounds | target | |\n|---|---|---|---|---|---|---|---|\n")
}

func (r *report) add(line result) {
	r.results = append(r.results, line)
	var ratio, fastest string
	if line.ratio > 0 {
		ratio, fastest = fmt.Sprintf("%.2f", line.ratio), fmt.Sprintf("%.2f", line.fastest)
	}
	_, _ = fmt.Fprintf(r.to, "| %s | %s | %s | %s | %s | %s | %v | %s |\n",
		line.what, line.ours, line.peers, ratio, fastest, line.spread, line.target, line.verdict())
}

// end returns an error unless all went well and all targets are met.
func (r *report) end() error {
	var errs []error
	for _, line := range r.results {
		switch {
		case line.err != nil:
			errs = append(errs, fmt.Errorf("%s: %w", line.what, line.err))
		case line.busy:
			errs = append(errs, fmt.Errorf("%s: %w", line.what, errBusy))
		case line.verdict() == "missed":
			errs = append(errs, fmt.Errorf("%s: %w: %.2f is not %v", line.what, errMissed, line.ratio, line.target))
		}
	}
	return errors.Join(errs...)
}
