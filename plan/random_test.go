package plan_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// jobsToTry is how many random jobs are run: a few, or as many as SLUICE_JOBS says.
func jobsToTry() string {
	if n := os.Getenv("SLUICE_JOBS"); n != "" {
		return n
	}
	if raceDetector {
		return "25"
	}
	return "50"
}

// Jobs of up to eight nodes over tables of all types and with nulls, without limits and in so little
// memory that nodes spill, give the rows that a naive evaluation row by row gives. Under rapid's flags, -rapid.seed among
// them, a job that failed runs again; SLUICE_JOBS=10000 tries more of them.
func TestRandomJobsGiveTheRowsOfANaiveEvaluation(t *testing.T) {
	checks := flag.Lookup("rapid.checks")
	if before := checks.Value.String(); before == checks.DefValue {
		if err := checks.Value.Set(jobsToTry()); err != nil {
			t.Fatalf("SLUICE_JOBS is to be a number of jobs: %v", err)
		}
		defer func() { _ = checks.Value.Set(before) }()
	}
	most := 20_000
	if raceDetector {
		most = 2000
	}
	files, spill := t.TempDir(), t.TempDir()
	all := &tally{kinds: map[string]int{}}
	rapid.Check(t, func(t *rapid.T) {
		j := &jobMaker{t: t, dir: files, most: most, uses: map[string]int{}}
		out, made := j.tree(1 + pick(t, 8))
		want, back := j.sink(out, made)
		t.Logf("the job:\n%s", strings.Join(j.nodes, ""))
		all.jobs++
		for kind := range j.uses {
			all.kinds[kind]++
		}
		tiny := oneOf[int64](t, 1<<18, 1<<19, 1<<20, 4<<20)
		for _, in := range []budget{{0, 1 + j.pick(3)}, {tiny, 1 + j.pick(3)}} {
			got := all.run(t, j.nodes, spill, in)
			if back != nil {
				got = all.run(t, back, spill, budget{workers: 1})
			}
			check(t, got, want)
		}
	})
	t.Logf("%d jobs, of %v; %d runs in a limit, of which %d spilled, and %d with too little memory",
		all.jobs, all.kinds, all.limited, all.spilled, all.raised)
}
