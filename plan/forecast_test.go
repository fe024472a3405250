package plan_test

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"testing"

	"github.com/seed14ed4225/sluice/internal/size"
	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/plan"
)

// suggested finds the limits that an error suggests.
var suggested = regexp.MustCompile(`--memory-(host|disk) ([0-9.]+[A-Za-z]+)`)

const (
	readFlights  = "  scan: {kind: scan, files: \"${files}\", out: a}\n"
	printFlights = "  show: {kind: print, in: z, format: csv}\n"
)

// A node of a kind that this package does not know, and that writes nothing, takes nothing that could be forecast.
func TestALimitIsSaidThoughAKindOfSomebodyElseReads(t *testing.T) {
	run := func(host int64) error {
		src := "nodes:\n  scan: {kind: scan, files: ../examples/data/flights-200k.parquet, out: a}\n  own: {kind: collect, in: a}\n"
		job, err := kindsAndCollect(&collected{}).Parse("job.yaml", []byte(src), nil)
		if err != nil {
			t.Fatal(err)
		}
		memory, err := job.Memory(plan.Memory{Host: mem.Bytes(host)})
		if err != nil {
			t.Fatal(err)
		}
		err = job.Run(t.Context(), plan.Env{Memory: memory})
		closed(t, memory)
		return err
	}
	err := run(64 << 10)
	said := suggested.FindStringSubmatch(fmt.Sprint(err))
	if !errors.Is(err, mem.ErrNoMemory) || said == nil {
		t.Fatalf("in 64 KiB: %v", err)
	}
	limit, err := size.Parse(said[2])
	if err != nil {
		t.Fatal(err)
	}
	if err := run(limit); err != nil {
		t.Errorf("in %s, as was said: %v", said[2], err)
	}
}

// Each job gets far too little, and then what the error says, which works; and half of it or so does not.
func TestALimitThatIsTooSmallSaysOneThatDoes(t *testing.T) {
	if raceDetector {
		t.Skip("who fails waits long for others that compute; random jobs follow what is said under the race detector, too")
	}
	const tooSmall, disk = 64 << 10, 1 << 30
	for name, tt := range map[string]struct {
		nodes string
		disk  bool
		share int64 // the suggestion divided by this is too small
	}{
		"scan":       {"  scan: {kind: scan, files: \"${files}\", out: z}\n", true, 2},
		"filter":     {readFlights + "  f: {kind: filter, in: a, where: delay > 0, out: b}\n  s: {kind: sort, in: b, by: delay desc, out: z}\n", true, 2},
		"few groups": {readFlights + "  g: {kind: aggregate, in: a, by: origin, compute: {n: count}, out: z}\n", true, 2},
		"many groups, sorted": {readFlights + "  g: {kind: aggregate, in: a, by: [date, origin, destination], compute: {n: count}, out: b}\n" +
			"  s: {kind: sort, in: b, by: n desc, out: z}\n", true, 2},
		"join": {readFlights + "  again: {kind: scan, files: \"${files}\", out: b}\n" +
			"  j: {kind: join, in: [a, b], using: [date, origin, destination], out: z}\n", true, 2},
		"join of few": {readFlights + "  again: {kind: scan, files: \"${files}\", columns: [origin, distance], out: b}\n" +
			"  once: {kind: distinct, in: b, by: origin, out: c}\n  j: {kind: join, in: [a, c], using: origin, out: z}\n", true, 8},
		"top":                       {readFlights + "  s: {kind: sort, in: a, by: delay desc, limit: 10, out: z}\n", true, 2},
		"sort":                      {readFlights + "  s: {kind: sort, in: a, by: delay desc, out: z}\n", true, 2},
		"four workers":              {readFlights + "  p: {kind: project, in: a, compute: {o: lower(origin), x: delay * 2}, out: b}\n  s: {kind: sort, in: b, by: x, workers: 4, out: z}\n", true, 2},
		"sort without a disk":       {readFlights + "  s: {kind: sort, in: a, by: delay desc, out: z}\n", false, 4},
		"few groups without a disk": {readFlights + "  g: {kind: aggregate, in: a, by: origin, compute: {n: count}, out: z}\n", false, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := func(host int64) error {
				src := "params: {files: null}\nworkers: 2\nnodes:\n" + tt.nodes + printFlights // what is taken depends on them
				job, err := plan.Parse("job.yaml", []byte(src), map[string]string{"files": "../examples/data/flights-200k.parquet"})
				if err != nil {
					t.Fatal(err)
				}
				over := plan.Memory{Host: mem.Bytes(host)}
				if tt.disk {
					over.Disk, over.SpillDir = mem.Bytes(disk), t.TempDir()
				}
				memory, err := job.Memory(over)
				if err != nil {
					t.Fatal(err)
				}
				err = job.Run(t.Context(), plan.Env{Memory: memory, Stdout: io.Discard})
				closed(t, memory)
				return err
			}
			err := run(tooSmall)
			said := suggested.FindStringSubmatch(fmt.Sprint(err))
			if !errors.Is(err, mem.ErrNoMemory) || said == nil || said[1] != "host" {
				t.Fatalf("in %d bytes: %v", tooSmall, err)
			}
			limit, err := size.Parse(said[2])
			if err != nil {
				t.Fatal(err)
			}
			if err := run(limit); err != nil {
				t.Errorf("in %s, as was said: %v", said[2], err)
			}
			if err := run(limit / tt.share); !errors.Is(err, mem.ErrNoMemory) {
				t.Errorf("%s were said, and one divided by %d does, too: %v", said[2], tt.share, err)
			}
		})
	}
}

// Where a file has whole row groups in a page, chunks of fewer rows take as much; where they do not, the number of rows that is
// said is one that works.
func TestFewerRowsAreSaidWhereThatHelps(t *testing.T) {
	const limit = 700 << 10
	run := func(rows string) error {
		src := "params: {files: null}\nnodes:\n  scan: {kind: scan, files: \"${files}\", out: z" + rows + "}\n" + printFlights
		job, err := plan.Parse("job.yaml", []byte(src), map[string]string{"files": "../examples/data/flights-200k.parquet"})
		if err != nil {
			t.Fatal(err)
		}
		memory, err := job.Memory(plan.Memory{Host: mem.Bytes(limit)})
		if err != nil {
			t.Fatal(err)
		}
		err = job.Run(t.Context(), plan.Env{Memory: memory, Stdout: io.Discard})
		closed(t, memory)
		return err
	}
	err := run("")
	said := regexp.MustCompile(`rows: \d+`).FindString(fmt.Sprint(err))
	if said == "" {
		t.Fatalf("no rows are said: %v", err)
	}
	if err := run(", " + said); err != nil {
		t.Errorf("with %s, as was said: %v", said, err)
	}
}
