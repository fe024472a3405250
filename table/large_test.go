package table

import (
	"context"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
)

// Tables larger than memory, and the process that works on them: what it has of memory beside the
// limit stays below what the documentation states. With SLUICE_BIG set, tests are as large as
// people's tables: minutes, and gigabytes of disk.

// inFull says that tests of large tables are to be large.
var inFull = os.Getenv("SLUICE_BIG") != ""

// beside is what the process may take beside the limit of host memory.
const beside = 100 << 20

// manyRows are so many rows of 64-bit integers. A column tells the value of row i.
type manyRows struct {
	rows    int
	columns []func(row int) int64
}

func (n manyRows) schema() *arrow.Schema {
	var fields []arrow.Field
	for i := range n.columns {
		fields = append(fields, arrow.Field{Name: string(rune('a' + i)), Type: int64Type})
	}
	return arrow.NewSchema(fields, nil)
}

// source returns a node that makes the rows, in memory that it has reserved.
func (n manyRows) source(out *sluice.Channel) func(context.Context) error {
	return func(ctx context.Context) error {
		from, schema := budgetOf(ctx), n.schema()
		atOnce := int(min(8192, from.limit/128/int64(8*len(n.columns))))
		for row, seq := 0, sluice.SeqNum(0); row < n.rows; row, seq = row+atOnce, seq+1 {
			rows := min(atOnce, n.rows-row)
			res, err := from.reserve(ctx, int64(len(n.columns))*allocated(int64(8*rows)))
			if err != nil {
				return err
			}
			own := newAllocator(ctx, res)
			var columns []arrow.Array
			for _, value := range n.columns {
				columns = append(columns, fixedArray(own, int64Type, rows, nil, func(i int) int64 { return value(row + i) }))
			}
			chunk := own.Chunk(array.NewRecordBatch(schema, columns, int64(rows)))
			releaseArrays(columns)
			res.Release()
			if err := send(ctx, out, seq, chunk); err != nil {
				return err
			}
		}
		return nil
	}
}

// scattered returns another number for each row, in no order.
func scattered(row int) int64 { return int64(uint64(row) * 0x9e3779b97f4a7c15) }

// derived returns a number that can be told from that of the row, for each column another.
func derived(column int) func(row int) int64 {
	return func(row int) int64 { return belongs(scattered(row), column) }
}

func belongs(key int64, column int) int64 { return key*int64(2*column+1) + int64(column) }

// runLarge runs a network of these nodes in a limit of host memory. It fails if the limit did not hold,
// nothing was spilled or the process took more beside it than it may.
func runLarge(t *testing.T, limit int64, build func(*sluice.Network)) {
	t.Helper()
	dir := t.TempDir()
	options := mem.Options{SpillDir: dir}
	options.Limits[mem.Host], options.Limits[mem.Disk] = mem.Bytes(limit), mem.Bytes(16<<30)
	r, err := mem.New(options)
	if err != nil {
		t.Fatal(err)
	}
	debug.FreeOSMemory()
	before := debug.SetMemoryLimit(max(limit/2+16<<20, 48<<20)) // as a job has it: what is not counted must not pile up
	defer debug.SetMemoryLimit(before)
	net := sluice.NewNetwork("test", sluice.WithMemory(r))
	build(net)
	most, start := watchResident(), time.Now()
	err = net.Run(t.Context())
	resident := most()
	if err != nil {
		t.Fatal(err)
	}
	assertWithin(t, r, true)
	if resident > limit+beside && !raceDetector && !debugBuild {
		t.Errorf("%d MiB were resident, %d are the limit", resident>>20, limit>>20)
	}
	t.Logf("%v, %d MiB resident, %d MiB spilled", time.Since(start).Round(time.Millisecond), resident>>20, r.Stats().Kinds[mem.Host].Spilled>>20)
	if err := r.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left in the spill directory: %v, %v", left, err)
	}
}

// watchResident looks now and then at the memory that the process has and no file backs. What it
// returns ends that, and returns the most that was seen.
func watchResident() (most func() int64) {
	var largest int64
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			largest = max(largest, anonymous())
			select {
			case <-tick.C:
			case <-done:
				return
			}
		}
	})
	return func() int64 {
		close(done)
		watching.Wait()
		return largest
	}
}

// anonymous returns the bytes of memory that the process has and no file backs; 0 where
// the system does not say.
func anonymous() (bytes int64) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if n, err := fmt.Sscanf(line, "RssAnon: %d kB", &bytes); n == 1 && err == nil {
			return bytes << 10
		}
	}
	return 0
}

// lookAt adds a node that looks at each batch.
func lookAt(net *sluice.Network, in *sluice.Channel, look func(arrow.RecordBatch) error) {
	net.Node("sink", func(ctx context.Context) error {
		return eachChunk(ctx, in, func(_ *sluice.Message, chunk *Chunk) error { return look(chunk.Batch()) })
	}, reads(in))
}

func onlyBig(t *testing.T) {
	if !inFull || testing.Short() || raceDetector || debugBuild {
		t.Skip("takes a minute and gigabytes of disk: set SLUICE_BIG to run it, without -short, -race and -tags sluicedebug")
	}
}

func TestSixMillionGroupsFitSixtyFourMegabytes(t *testing.T) {
	if testing.Short() || raceDetector || debugBuild {
		t.Skip("takes half a minute under the race detector or in a debug build")
	}
	const groups = 6_000_000
	found, sum := 0, int64(0)
	runLarge(t, 64<<20, func(net *sluice.Network) {
		rows, done := net.Channel("rows"), net.Channel("groups")
		net.Node("source", manyRows{groups, []func(int) int64{
			func(row int) int64 { return int64(row) / 4 },
			func(row int) int64 { return int64(row) * 7919 % 200_003 },
			func(row int) int64 { return int64(row) % 50 },
		}}.source(rows), sluice.Writes(rows))
		net.Node(Aggregate{By: []string{"a", "b"}, Measures: []Measure{{Func: Count}, {Func: Sum, Column: "c"}}}.Node("aggregate", rows, done))
		lookAt(net, done, func(batch arrow.RecordBatch) error {
			sums := fixed[int64](batch.Column(3))
			for i, n := range fixed[int64](batch.Column(2)) {
				if n != 1 {
					return fmt.Errorf("a group of %d rows", n)
				}
				sum += sums[i]
			}
			found += len(sums)
			return nil
		})
	})
	if found != groups || sum != groups/50*(49*50/2) {
		t.Errorf("%d groups, %d", found, sum)
	}
}

func TestTwoGibibytesAreSortedInSixtyFourMegabytes(t *testing.T) {
	onlyBig(t)
	const rows, columns = 1 << 25, 8
	in := manyRows{rows, []func(int) int64{scattered}}
	for c := 1; c < columns; c++ {
		in.columns = append(in.columns, derived(c))
	}
	found, sum, last := 0, int64(0), int64(math.MinInt64)
	runLarge(t, 64<<20, func(net *sluice.Network) {
		unsorted, sorted := net.Channel("rows"), net.Channel("sorted")
		net.Node("source", in.source(unsorted), sluice.Writes(unsorted))
		net.Node(Sort{By: []SortKey{{Column: "a"}}}.Node("sort", unsorted, sorted))
		lookAt(net, sorted, func(batch arrow.RecordBatch) error {
			keys := fixed[int64](batch.Column(0))
			for c := range columns {
				for i, v := range fixed[int64](batch.Column(c)) {
					if c > 0 && v != belongs(keys[i], c) {
						return fmt.Errorf("column %d of row %d is of another row", c, found+i)
					}
				}
			}
			for i, key := range keys {
				if key <= last && found+i > 0 { // no two rows have the same
					return fmt.Errorf("row %d is %d after %d", found+i, key, last)
				}
				last = key
				sum += key
			}
			found += len(keys)
			return nil
		})
	})
	want := int64(0)
	for row := range rows {
		want += scattered(row)
	}
	if found != rows || sum != want {
		t.Errorf("%d rows that add up to %d, want %d and %d", found, sum, rows, want)
	}
}

func TestTwoSidesLargerThanMemoryAreJoinedInSixtyFourMegabytes(t *testing.T) {
	onlyBig(t)
	const rows, columns = 6_000_000, 4
	var sides [2]manyRows
	for s := range sides { // the second is the last half of the first, and as many rows without a match
		key := func(row int) int { return row + s*rows/2 }
		sides[s] = manyRows{rows, []func(int) int64{func(row int) int64 { return scattered(key(row)) }}}
		for c := 1; c < columns; c++ {
			value := derived(s*columns + c)
			sides[s].columns = append(sides[s].columns, func(row int) int64 { return value(key(row)) })
		}
	}
	found, sum := 0, int64(0)
	runLarge(t, 64<<20, func(net *sluice.Network) {
		left, right, joined := net.Channel("left"), net.Channel("right"), net.Channel("joined")
		net.Node("source left", sides[0].source(left), sluice.Writes(left))
		net.Node("source right", sides[1].source(right), sluice.Writes(right))
		net.Node(Join{On: []JoinKey{{"a", "a"}}}.Node("join", left, right, joined))
		lookAt(net, joined, func(batch arrow.RecordBatch) error {
			keys := fixed[int64](batch.Column(0))
			for c := range int(batch.NumCols()) {
				for i, v := range fixed[int64](batch.Column(c)) {
					if c%columns > 0 && v != belongs(keys[i], c) {
						return fmt.Errorf("column %d of row %d is of another row", c, found+i)
					}
				}
			}
			for _, key := range keys {
				sum += key
			}
			found += len(keys)
			return nil
		})
	})
	want := int64(0)
	for row := rows / 2; row < rows; row++ {
		want += scattered(row)
	}
	if found != rows/2 || sum != want {
		t.Errorf("%d rows that add up to %d, want %d and %d", found, sum, rows/2, want)
	}
}

// Neither leaves the other without memory: what an aggregate makes goes to a sort of the same limit, and
// both spill.
func TestAnAggregateAndTheSortBehindItShareOneLimit(t *testing.T) {
	groups, times, limit := 120_000, 2, int64(4<<20)
	if inFull {
		groups, limit = 4_000_000, 64<<20
	}
	key := func(row int) int64 { return scattered(row % groups) }
	found, last := 0, int64(math.MaxInt64)
	runLarge(t, limit, func(net *sluice.Network) {
		rows, done, sorted := net.Channel("rows"), net.Channel("groups"), net.Channel("sorted")
		net.Node("source", manyRows{groups * times, []func(int) int64{
			key, func(row int) int64 { return belongs(key(row), 1) }, func(row int) int64 { return int64(row) },
		}}.source(rows), sluice.Writes(rows))
		measures := []Measure{{Func: Count}, {Func: Sum, Column: "c"}}
		net.Node(Aggregate{By: []string{"a", "b"}, Measures: measures}.Node("aggregate", rows, done))
		net.Node(Sort{By: []SortKey{{Column: "sum_c", Descending: true}}}.Node("sort", done, sorted))
		lookAt(net, sorted, func(batch arrow.RecordBatch) error {
			a, b := fixed[int64](batch.Column(0)), fixed[int64](batch.Column(1))
			counts, sums := fixed[int64](batch.Column(2)), fixed[int64](batch.Column(3))
			for i, sum := range sums {
				row := int(sum)/times - groups*(times-1)/2 // the first of the group
				if sum >= last || counts[i] != int64(times) || a[i] != key(row) || b[i] != belongs(a[i], 1) {
					return fmt.Errorf("row %d has keys %d and %d, count %d and sum %d after %d", found+i, a[i], b[i], counts[i], sum, last)
				}
				last = sum
			}
			found += len(sums)
			return nil
		})
	})
	if found != groups {
		t.Errorf("%d groups, want %d", found, groups)
	}
}

func TestAJoinAndTheAggregateBehindItShareOneLimit(t *testing.T) {
	keys, limit := 100_000, int64(4<<20)
	if inFull {
		keys, limit = 3_000_000, 64<<20
	}
	key := func(row int) int64 { return scattered(row % keys) }
	value := func(row int) int64 { return int64(row) }
	found := make([]bool, keys)
	groups := 0
	runLarge(t, limit, func(net *sluice.Network) {
		left, right, joined, done := net.Channel("left"), net.Channel("right"), net.Channel("joined"), net.Channel("groups")
		net.Node("source left", manyRows{2 * keys, []func(int) int64{key, value}}.source(left), sluice.Writes(left))
		net.Node("source right", manyRows{keys, []func(int) int64{key, value}}.source(right), sluice.Writes(right))
		net.Node(Join{On: []JoinKey{{"a", "a"}}}.Node("join", left, right, joined))
		measures := []Measure{{Func: Count}, {Func: Sum, Column: "b"}, {Func: Min, Column: "b_right"}}
		net.Node(Aggregate{By: []string{"a"}, Measures: measures}.Node("aggregate", joined, done))
		lookAt(net, done, func(batch arrow.RecordBatch) error {
			counts, sums, rights := fixed[int64](batch.Column(1)), fixed[int64](batch.Column(2)), fixed[int64](batch.Column(3))
			for i, a := range fixed[int64](batch.Column(0)) {
				row := int(rights[i])
				if row < 0 || row >= keys || found[row] || a != key(row) || counts[i] != 2 || sums[i] != int64(2*row+keys) {
					return fmt.Errorf("key %d has count %d, sum %d, and row %d of the right", a, counts[i], sums[i], row)
				}
				found[row] = true
			}
			groups += len(counts)
			return nil
		})
	})
	if groups != keys {
		t.Errorf("%d groups, want %d", groups, keys)
	}
}
