package plan_test

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/plan"
)

// Every flight finds itself: of those that leave one place for another in the same minute the right
// side has one. So the join gives each flight of the left once, also those that share a minute.
const flightsThroughEverything = `
params: {files: null, to: null}
nodes:
  scan: {kind: scan, files: "${files}", columns: [date, delay, origin, destination], out: flights}
  compute:
    kind: project
    in: flights
    columns: [origin, destination]
    compute: {minute: "date_trunc('minute', date)", delay: delay, late: "case when delay > 60 then 'late' else 'not' end"}
    out: left
  again: {kind: scan, files: "${files}", columns: [date, distance, origin, destination], out: all}
  renamed:
    kind: project
    in: all
    compute: {minute: "date_trunc('minute', date)", from: origin, to: "lower(destination)", miles: distance}
    out: minutes
  once: {kind: distinct, in: minutes, by: [minute, from, to], out: right}
  upper: {kind: project, in: right, columns: [minute, from, miles], compute: {to: upper(to)}, out: keys}
  itself: {kind: join, in: [left, keys], on: [minute = minute, origin = from, destination = to], out: joined}
  order: {kind: sort, in: joined, by: [delay desc, origin, minute], out: sorted}
  write: {kind: write, in: sorted, file: "${to}", overwrite: true}
`

func TestFlightsComeThroughAJoinWithThemselvesASortAndAFile(t *testing.T) {
	const path = "../../shared/data/flights-3m.parquet"
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the full data is not here: %v", err)
	}
	if raceDetector {
		t.Skip("three million rows take minutes under the race detector; random jobs run under it, too")
	}
	to, spill := filepath.Join(t.TempDir(), "flights.parquet"), t.TempDir()
	job, err := plan.Parse("job.yaml", []byte(flightsThroughEverything), map[string]string{"files": path, "to": to})
	if err != nil {
		t.Fatal(err)
	}
	memory, err := job.Memory(plan.Memory{Host: mem.Bytes(64 << 20), Disk: mem.Share(0.9), SpillDir: spill})
	if err != nil {
		t.Fatal(err)
	}
	err = job.Run(t.Context(), plan.Env{Memory: memory})
	used := memory.Stats().Kinds[mem.Host]
	closed(t, memory)
	if err != nil {
		t.Fatal(err)
	}
	if used.Spilled == 0 || used.Peak > 64<<20 || used.Overbooked != 0 {
		t.Errorf("3 million flights in 64 MiB, and host is %+v", used)
	}
	if left, err := os.ReadDir(spill); err != nil || len(left) != 0 {
		t.Errorf("it leaves %v, %v", left, err)
	}
	checkFlights(t, to)
}

// checkFlights reads the file back with Arrow's reader, which is not ours.
func checkFlights(t *testing.T, path string) {
	t.Helper()
	f, err := file.OpenParquetFile(path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	r, err := pqarrow.NewFileReader(f, pqarrow.ArrowReadProperties{BatchSize: 1 << 16}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	batches, err := r.GetRecordReader(t.Context(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer batches.Release()
	rows, late := 0, 0
	flights, minutes := map[string]int{}, map[string]int64{}
	before := struct {
		delay  int64
		origin string
		minute int64
	}{delay: math.MaxInt64}
	for batches.Next() {
		batch := batches.RecordBatch()
		at := func(name string) int { return batch.Schema().FieldIndices(name)[0] }
		delays := batch.Column(at("delay")).(*array.Int64)
		when := batch.Column(at("minute")).(*array.Timestamp)
		origins := batch.Column(at("origin")).(*array.String)
		words := batch.Column(at("late")).(*array.String)
		for i := range int(batch.NumRows()) {
			now := before
			now.delay, now.origin, now.minute = delays.Value(i), origins.Value(i), int64(when.Value(i))
			if by := cmp.Or(-cmp.Compare(before.delay, now.delay), cmp.Compare(before.origin, now.origin), cmp.Compare(before.minute, now.minute)); by > 0 {
				t.Fatalf("row %d, %+v, comes after %+v", rows, now, before)
			}
			before = now
			rows++
			flights[now.origin]++
			minutes[now.origin] += now.delay
			if isLate := words.Value(i) == "late"; isLate != (now.delay > 60) {
				t.Fatalf("row %d: a delay of %d minutes is %q", rows, now.delay, words.Value(i))
			} else if isLate {
				late++
			}
		}
	}
	if err := batches.Err(); err != nil {
		t.Fatal(err)
	}
	if rows != 3_000_000 || late == 0 {
		t.Errorf("%d flights, %d of them late", rows, late)
	}
	for origin, want := range map[string]string{ // what is known of the data
		"ORD": "166341 9.273655", "DFW": "157162 7.700958", "ATL": "124711 8.828139", "LAX": "115245 7.422595", "PHX": "93036 9.994400",
	} {
		if got := fmt.Sprintf("%d %.6f", flights[origin], float64(minutes[origin])/float64(flights[origin])); got != want {
			t.Errorf("%s: %s, want %s", origin, got, want)
		}
	}
}
