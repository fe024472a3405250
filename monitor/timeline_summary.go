package monitor

import (
	"fmt"
	"time"
)

// A TimelineSummary says how busy devices were, all devices of the timeline together.
type TimelineSummary struct {
	// Elapsed is the time from the first begin to the last end. Shares are of this time,
	// from 0 to 1.
	Elapsed    time.Duration
	Categories []CategoryUse // those there were
	Overlap    float64       // share in which work of two or more categories was in progress
	Lost       int           // activities that the devices could not tell
}

// A CategoryUse says how much work of a category there was.
type CategoryUse struct {
	Category Category
	Count    int
	Bytes    int64
	Busy     time.Duration // with at least one in progress
	Share    float64
}

// Summary adds up what there was so far.
func (t *Timeline) Summary() TimelineSummary {
	s := TimelineSummary{Overlap: t.Overlap()}
	t.mu.Lock()
	defer t.mu.Unlock()
	s.Elapsed, s.Lost = t.mu.span.length(), t.mu.lost
	for _, c := range categories {
		if u := t.mu.uses[c]; u != nil {
			busy := atOnce(1, &u.busy)
			s.Categories = append(s.Categories, CategoryUse{c, u.count, u.bytes, busy, t.share(busy)})
		}
	}
	return s
}

// Overlap returns the share of the time, from 0 to 1, in which work of each of the
// categories was in progress at once, on whichever streams and devices:
//
//	timeline.Overlap(monitor.CopyToDevice, monitor.CopyFromDevice, monitor.Kernel)
//
// says how long copies in both directions and kernels ran side by side. Of one category
// it is the share in which it was in progress at all. Without any it is the share in which
// any two or more categories were. The time is that from the first begin to the last end of
// any work; if there was none, the share is 0.
func (t *Timeline) Overlap(of ...Category) float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(of) == 0 {
		all := make([]*intervals, 0, len(categories))
		for _, u := range t.mu.uses {
			all = append(all, &u.busy)
		}
		return t.share(atOnce(2, all...))
	}
	var sets []*intervals
	for _, c := range of {
		u := t.mu.uses[c]
		if u == nil {
			return 0
		}
		sets = append(sets, &u.busy)
	}
	return t.share(atOnce(len(sets), sets...))
}

// share returns which part of the time of the timeline d is, with the lock held.
func (t *Timeline) share(d time.Duration) float64 {
	if all := t.mu.span.length(); all > 0 {
		return float64(d) / float64(all)
	}
	return 0
}

// String shows the summary as a table, with a line for each category.
//
//	work              count   bytes    busy  share
//	copy to device       64  64MiB   4.1ms    41%
//	copy from device     64  64MiB   4.2ms    42%
//	kernel               64          5.0ms    50%
//	two or more at once                       38%
//
// It is empty if there was nothing to tell.
func (s TimelineSummary) String() string {
	if len(s.Categories) == 0 && s.Lost == 0 {
		return ""
	}
	rows := [][]string{{"work", "count", "bytes", "busy", "share"}}
	for _, c := range s.Categories {
		rows = append(rows, []string{string(c.Category), fmt.Sprint(c.Count), unlessNone(c.Bytes), rounded(c.Busy), percent(c.Share)})
	}
	rows = append(rows, []string{"two or more at once", "", "", "", percent(s.Overlap)})
	if s.Lost > 0 {
		rows = append(rows, []string{"not told", fmt.Sprint(s.Lost)})
	}
	return table(rows)
}

func percent(share float64) string { return fmt.Sprintf("%.0f%%", 100*share) }

// rounded returns a duration with three digits or so.
func rounded(d time.Duration) string {
	unit := time.Nanosecond
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit).String()
}
