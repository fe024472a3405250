package table

import (
	"context"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
)

// newResource returns a resource with a limit of host memory, which spills to a directory
// of its own. At the end of the test it must have got back everything, and the
// directory must be empty.
func newResource(t testing.TB, host int64) *mem.Resource {
	t.Helper()
	dir := t.TempDir()
	r := makeResource(dir, host)
	t.Cleanup(func() {
		if err := r.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("left in the spill directory: %v, %v", left, err)
		}
	})
	return r
}

// assertWithin says that the limit of host memory held, and whether anything was to be spilled.
func assertWithin(t failer, r *mem.Resource, spills bool) {
	t.Helper()
	host := r.Stats().Kinds[mem.Host]
	if host.Overbooked != 0 || host.Peak > host.Limit {
		t.Errorf("took %d of %d bytes, %d too many", host.Peak, host.Limit, host.Overbooked)
	}
	if (host.Spilled > 0) != spills {
		t.Errorf("%d bytes were spilled at a limit of %d", host.Spilled, host.Limit)
	}
}

// An orderly digest is of rows in an order: the hash of each, mixed with that of those before.
type orderly struct {
	seed maphash.Seed
	sum  uint64
	rows int
	text []byte
}

func (o *orderly) add(batch arrow.RecordBatch) {
	var columns []view
	var write []cell
	for _, a := range batch.Columns() {
		columns = append(columns, newView(a))
		write = append(write, cells{typ: a.DataType(), float: exactFloat, clock: "2006-01-02T15:04:05"}.of())
	}
	for row := range int(batch.NumRows()) {
		o.text = o.text[:0]
		for i := range columns {
			o.text = append(o.text, ',')
			if columns[i].null(row) {
				o.text = append(o.text, '-')
			} else {
				o.text = write[i](&columns[i], row, o.text)
			}
		}
		o.sum = o.sum*0x9e3779b97f4a7c15 + maphash.Bytes(o.seed, o.text)
		o.rows++
	}
}

// sortedBy runs a source, and a sort of what comes from it, and digests the result.
func sortedBy(t *testing.T, r *mem.Resource, s Sort, source func(*sluice.Network, *sluice.Channel), seed maphash.Seed) orderly {
	t.Helper()
	digest, err := trySortedBy(t, r, s, source, seed)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

func trySortedBy(
	t *testing.T, r *mem.Resource, s Sort, source func(*sluice.Network, *sluice.Channel), seed maphash.Seed,
) (orderly, error) {
	t.Helper()
	net := sluice.NewNetwork("test", sluice.WithMemory(r))
	rows, sorted := net.Channel("rows"), net.Channel("sorted")
	source(net, rows)
	net.Node(s.Node("sort", rows, sorted))
	digest := orderly{seed: seed}
	net.Node("sink", func(ctx context.Context) error {
		return eachChunk(ctx, sorted, func(_ *sluice.Message, chunk *Chunk) error {
			digest.add(chunk.Batch())
			return nil
		})
	}, reads(sorted))
	err := net.Run(t.Context())
	return digest, err
}

func TestASortOfTheFlightsRunsInASixthOfTheirMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("sorts 3,000,000 rows")
	}
	path := flights()
	host := int64(16 << 20)
	if path == sample || raceDetector {
		path, host = sample, 2<<20
	}
	s := Sort{By: []SortKey{{Column: "delay", Descending: true}}}
	scan := func(net *sluice.Network, rows *sluice.Channel) {
		net.Node(Scan{Files: []string{path}, Rows: int(host / 256)}.Node("scan", rows)) // 65,536 of all flights
	}
	seed := maphash.MakeSeed()
	want := sortedBy(t, nil, s, scan, seed)
	r := newResource(t, host)
	got := sortedBy(t, r, s, scan, seed)
	if got.sum != want.sum || got.rows != want.rows {
		t.Errorf("%d rows with digest %x, without a limit %d with %x", got.rows, got.sum, want.rows, want.sum)
	}
	assertWithin(t, r, true)
	stats := r.Stats().Kinds
	t.Logf("%d rows: host peak %d of %d, spilled %d, restored %d", got.rows, stats[mem.Host].Peak, host, stats[mem.Host].Spilled, stats[mem.Host].Restored)
}

func TestAggregatesOfTheFlightsRunInLittleMemory(t *testing.T) {
	path, host := flights(), int64(8<<20)
	if path == sample || raceDetector {
		path, host = sample, 4<<20
	}
	answer := func(r *mem.Resource) (rows []string) {
		net := sluice.NewNetwork("test", sluice.WithMemory(r))
		scanned, late, groups, top := net.Channel("scanned"), net.Channel("late"), net.Channel("groups"), net.Channel("top")
		net.Node(Scan{Files: []string{path}, Rows: 16 << 10}.Node("scan", scanned))
		net.Node(Filter{Where: "delay > 0"}.Node("late", scanned, late))
		net.Node(Aggregate{By: []string{"origin"}, Measures: []Measure{{Func: Count}, {Func: Mean, Column: "delay"}}}.Node("by", late, groups))
		net.Node(Sort{By: []SortKey{{Column: "count", Descending: true}}, Limit: 10}.Node("top", groups, top))
		net.Node("sink", func(ctx context.Context) error {
			return eachChunk(ctx, top, func(_ *sluice.Message, chunk *Chunk) error {
				rows = append(rows, asText(rowsOf(chunk.Batch()))...)
				return nil
			})
		}, reads(top))
		if err := net.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		return rows
	}
	r := newResource(t, host)
	if got, want := answer(r), answer(nil); len(want) != 10 || !slices.Equal(got, want) {
		t.Errorf("got\n%v\nwant\n%v", got, want)
	}
	if s := r.Stats().Kinds[mem.Host]; s.Overbooked != 0 || s.Peak > host {
		t.Errorf("%+v", s)
	}
}

// madeUp sends chunks of eight columns, some of them text, with many equal keys.
func madeUp(chunks, rows int) func(*sluice.Network, *sluice.Channel) {
	schema := arrow.NewSchema([]arrow.Field{
		field("key", int64Type), field("came", int64Type), field("name", stringType), field("coded", codedType),
		field("share", float64Type), field("late", arrow.FixedWidthTypes.Boolean), field("day", arrow.FixedWidthTypes.Date32),
		field("small", arrow.PrimitiveTypes.Int8),
	}, nil)
	return func(net *sluice.Network, out *sluice.Channel) {
		net.Node("source", func(ctx context.Context) error {
			random := rand.New(rand.NewPCG(1, 2))
			for c := range chunks {
				var values [][]any
				for i := range rows {
					row := []any{
						random.IntN(1000), c*rows + i, fmt.Sprintf("row %d of %d", i, random.IntN(100)), fmt.Sprint(i % 50),
						random.Float64(), i%3 == 0, i, i % 100,
					}
					if i%7 == 0 {
						row[random.IntN(len(row))] = nil
					}
					values = append(values, row)
				}
				batch := batchOf(schema, values...)
				chunk, err := counted(ctx, batch)
				if err != nil {
					return err
				}
				if err := send(ctx, out, sluice.SeqNum(c), chunk); err != nil {
					return err
				}
			}
			return nil
		}, sluice.Writes(out))
	}
}

// counted returns a chunk of the rows in memory of the network.
func counted(ctx context.Context, batch arrow.RecordBatch) (*Chunk, error) {
	defer batch.Release()
	res, err := mem.FromContext(ctx).Reserve(ctx, mem.Host, batchCopyBytes(batch))
	if err != nil {
		return nil, err
	}
	defer res.Release()
	own := newAllocator(ctx, res)
	return own.Chunk(copyBatch(own, batch)), nil
}

func TestSortInLittleMemoryGivesWhatSortInMuchGives(t *testing.T) {
	seed := maphash.MakeSeed()
	for _, by := range [][]SortKey{
		{{Column: "key"}},
		{{Column: "late"}, {Column: "name", Descending: true}, {Column: "share", Nulls: NullsFirst}},
	} {
		s := Sort{By: by}
		source := madeUp(60, 250) // 1 MB
		want := sortedBy(t, nil, s, source, seed)
		for _, tt := range []struct {
			host   int64
			spills bool
		}{{160 << 10, true}, {300 << 10, true}, {64 << 20, false}} {
			r := newResource(t, tt.host)
			if got := sortedBy(t, r, s, source, seed); got.sum != want.sum || got.rows != want.rows {
				t.Errorf("%+v in %d bytes: %d rows with digest %x, without a limit %d with %x",
					by, tt.host, got.rows, got.sum, want.rows, want.sum)
			}
			assertWithin(t, r, tt.spills)
		}
	}
}

// TestRowsInBatchesOfTheirOwnAreHeldWithinTheShareOfASort: of a few rows, what the buffers take is many times as
// much as is in them.
func TestRowsInBatchesOfTheirOwnAreHeldWithinTheShareOfASort(t *testing.T) {
	fields := []arrow.Field{field("key", int64Type)}
	row := []any{1}
	for i := range 40 {
		fields = append(fields, field(fmt.Sprint("other ", i), int64Type))
		row = append(row, i)
	}
	schema := arrow.NewSchema(fields, nil)
	r := newResource(t, 1<<20)
	ctx := mem.NewContext(t.Context(), r)
	s := Sort{By: []SortKey{{Column: "key"}}}
	all := s.sorter(budgetOf(ctx), "sort", schema, []int{0}).(*fullSort)
	defer all.release()
	most := int64(0)
	for range 150 {
		batch := batchOf(schema, row)
		chunk := countedIn(t, r, batch)
		err := all.add(ctx, chunk.Batch())
		chunk.Release()
		batch.Release()
		if err != nil {
			t.Fatal(err)
		}
		held := int64(0)
		for _, b := range all.collected.batches {
			held += batchCopyBytes(b)
		}
		most = max(most, held)
	}
	if share := budgetOf(ctx).held(); most > share || most < share/2 {
		t.Errorf("a sort holds %d bytes, where its share is %d", most, share)
	}
}
