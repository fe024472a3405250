package table

import (
	"context"
	"errors"
	"hash/maphash"
	"testing"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
)

// The rows of a limit that are too many to be kept are sorted like all, and cut off.
func TestALimitedSortInLittleMemoryGivesWhatItGivesInMuch(t *testing.T) {
	seed := maphash.MakeSeed()
	source := madeUp(60, 250) // 15,000 rows, 1 MB
	for _, limit := range []int{1, 100, 2500, 10_000, 14_999, 40_000} {
		s := Sort{By: []SortKey{{Column: "key"}, {Column: "name", Descending: true}}, Limit: limit}
		want := sortedBy(t, nil, s, source, seed)
		if rows := min(limit, 15_000); want.rows != rows {
			t.Fatalf("%d rows without a limit of memory, want %d", want.rows, rows)
		}
		r := newResource(t, 300<<10)
		got := sortedBy(t, r, s, source, seed)
		if got.sum != want.sum || got.rows != want.rows {
			t.Errorf("limit %d: %d rows with digest %x, want %d with %x", limit, got.rows, got.sum, want.rows, want.sum)
		}
		assertWithin(t, r, limit >= 2500)
	}
}

func TestALimitOfManyRowsRunsInTheMemoryThatASortRunsIn(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("sorts 2,500,000 rows twice")
	}
	seed := maphash.MakeSeed()
	source := manyNumbers(50, 50_000)
	for _, limit := range []int{500_000, 2_000_000} {
		s := Sort{By: []SortKey{{Column: "n", Descending: true}}, Limit: limit}
		want := sortedBy(t, nil, s, source, seed)
		r := newResource(t, 16<<20)
		got := sortedBy(t, r, s, source, seed)
		if got.sum != want.sum || got.rows != want.rows || got.rows != limit {
			t.Errorf("limit %d: %d rows with digest %x, want %d with %x", limit, got.rows, got.sum, want.rows, want.sum)
		}
		assertWithin(t, r, true)
	}
}

// manyNumbers sends chunks of one column whose numbers are in no order.
func manyNumbers(chunks, rows int) func(*sluice.Network, *sluice.Channel) {
	return func(net *sluice.Network, out *sluice.Channel) {
		net.Node("source", func(ctx context.Context) error {
			for c := range chunks {
				chunk, err := counted(ctx, numbersFrom(c*rows, rows))
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

// Whatever the limit is, a sort keeps it, or says that it cannot.
func TestASortKeepsAnyLimitOrFails(t *testing.T) {
	seed := maphash.MakeSeed()
	source := madeUp(20, 250)
	s := Sort{By: []SortKey{{Column: "name"}}}
	want := sortedBy(t, nil, s, source, seed)
	limited := Sort{By: s.By, Limit: 3000}
	first := sortedBy(t, nil, limited, source, seed)
	ran := 0
	step := int64(12_345)
	if raceDetector {
		step = 120_345
	}
	for host := int64(20_001); host < 1<<20; host += host/3 + step {
		for _, tt := range []struct {
			Sort
			want orderly
		}{{s, want}, {limited, first}} {
			r := newResource(t, host)
			got, err := trySortedBy(t, r, tt.Sort, source, seed)
			switch {
			case err == nil:
				ran++
				if got.sum != tt.want.sum || got.rows != tt.want.rows {
					t.Errorf("in %d bytes: %d rows with digest %x, want %d with %x", host, got.rows, got.sum, tt.want.rows, tt.want.sum)
				}
			case !errors.Is(err, mem.ErrNoMemory):
				t.Errorf("in %d bytes: %v", host, err)
			case host > 160<<10:
				t.Errorf("does not run in %d bytes: %v", host, err)
			}
			if s := r.Stats().Kinds[mem.Host]; s.Overbooked != 0 || s.Peak > host {
				t.Errorf("took %d of %d bytes", s.Peak, host)
			}
		}
	}
	if ran < 4 {
		t.Errorf("ran with %d limits only", ran)
	}
}

// What goes over to sorting everything has values that no row has that comes later.
func TestALimitedSortThatGoesOverKnowsTheRowsItHad(t *testing.T) {
	schema := numbers(1).Schema()
	source := func(net *sluice.Network, out *sluice.Channel) {
		net.Node("source", func(ctx context.Context) error {
			for c := range 40 {
				var values [][]any
				for i := range 500 {
					if n := i * 7919 % 500; c < 2 {
						values = append(values, []any{n*1_000_000 - 250_000_000})
					} else {
						values = append(values, []any{n % 100})
					}
				}
				chunk, err := counted(ctx, batchOf(schema, values...))
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
	seed := maphash.MakeSeed()
	s := Sort{By: []SortKey{{Column: "n"}}, Limit: 19_000}
	want := sortedBy(t, nil, s, source, seed)
	r := newResource(t, 300<<10)
	if got := sortedBy(t, r, s, source, seed); got.sum != want.sum || got.rows != want.rows {
		t.Errorf("%d rows with digest %x, without a limit of memory %d with %x", got.rows, got.sum, want.rows, want.sum)
	}
}
