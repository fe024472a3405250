package shuffle_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/shuffle"
)

// What producers insert, drawn: payloads of rows, by producer.
func drawInput(t *rapid.T, producers int) (payloads [][][]record, all []record) {
	for p := range producers {
		var mine [][]record
		n := 0
		for range rapid.IntRange(0, 24).Draw(t, "payloads") {
			rows := make([]record, rapid.IntRange(1, 48).Draw(t, "rows"))
			keys := rapid.SampledFrom([]uint64{1, 3, 100, 1 << 40}).Draw(t, "keys")
			for i := range rows {
				n++
				rows[i] = record{uint64(n*7+p) % keys, idOf(p, n)}
			}
			mine = append(mine, rows)
			all = append(all, rows...)
		}
		payloads = append(payloads, mine)
	}
	return payloads, all
}

func TestEveryRowComesOutOnceWithAllOfItsKey(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		opts := shuffle.Options{
			Name:       "test",
			Parts:      rapid.IntRange(1, 9).Draw(t, "parts"),
			Producers:  rapid.IntRange(1, 4).Draw(t, "producers"),
			PieceBytes: rapid.SampledFrom([]int64{0, 1, 64, 4096}).Draw(t, "piece"),
			Credits:    rapid.SampledFrom([]int64{0, 1, 2048}).Draw(t, "credits"),
		}
		payloads, all := drawInput(t, opts.Producers)
		most := rapid.SampledFrom([]int64{1 << 40, 50}).Draw(t, "most rows of a partition")
		consumers := rapid.IntRange(1, 3).Draw(t, "consumers")
		failAt := rapid.SampledFrom([]int64{0, 0, 0, 1, 3, 10}).Draw(t, "split that fails")
		cancelAt := rapid.SampledFrom([]int64{0, 0, 0, 1, 3, 10}).Draw(t, "split that cancels")
		limit := rapid.SampledFrom([]int64{0, 8 << 10, 32 << 10, 1 << 30}).Draw(t, "limit")

		var r *mem.Resource
		if limit > 0 {
			var check func()
			r, check = newMemory(t, dir, limit)
			defer check()
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		onSplit := func(n int64) error {
			switch n {
			case cancelAt:
				cancel()
			case failAt:
				return errBoom
			}
			return nil
		}
		opts.By = &byKey{onSplit: onSplit}
		if rapid.Bool().Draw(t, "packs") {
			opts.By = &packer{byKey: byKey{onSplit: onSplit}}
		}
		var got collected
		err := inNode(ctx, r, func(ctx context.Context) error {
			s, err := shuffle.New(ctx, opts)
			if err != nil {
				return err
			}
			defer s.Close()
			g, ctx := newGroup(ctx)
			for _, mine := range payloads {
				g.start(func() error {
					if err := insert(ctx, s, mine); err != nil {
						return err
					}
					return s.Finish(ctx)
				})
			}
			for range consumers {
				g.start(func() error { return got.takeAll(ctx, s, most) })
			}
			return g.wait()
		})
		switch {
		case err == nil:
			got.check(t, [][]record{all})
		case errors.Is(err, errBoom) && failAt > 0:
		case errors.Is(err, context.Canceled) && cancelAt > 0:
		default:
			t.Fatalf("%v", err)
		}
	})
}

func rowsOf(producer, from, n int) []record {
	rows := make([]record, n)
	for i := range rows {
		rows[i] = record{uint64(from + i), idOf(producer, from+i)}
	}
	return rows
}

func TestWhatWaitsIsSpilledAndThePartitionNeededFirstLast(t *testing.T) {
	r, check := newMemory(t, t.TempDir(), 64<<10)
	defer check()
	err := inNode(t.Context(), r, func(ctx context.Context) error {
		s, err := shuffle.New(ctx, shuffle.Options{Name: "test", By: new(byKey), Parts: 4})
		if err != nil {
			return err
		}
		defer s.Close()
		var in [][]record
		for i := range 48 { // 48 KiB, which fit
			in = append(in, rowsOf(0, i*64, 64))
		}
		if err := insert(ctx, s, in); err != nil {
			return err
		}
		if err := s.Finish(ctx); err != nil {
			return err
		}
		// Somebody wants more than is left, and less than the first two partitions have
		// beside that.
		res, err := mem.FromContext(ctx).Reserve(ctx, mem.Host, 28<<10)
		if err != nil {
			return err
		}
		res.Release()
		spilled := r.Stats().Kinds[mem.Host].Spilled
		if spilled == 0 {
			t.Errorf("nothing was spilled")
		}
		restored := func() int64 { return r.Stats().Kinds[mem.Host].Restored }
		for i := range 4 {
			p, err := s.Next(ctx)
			if err != nil {
				return err
			}
			for {
				payload, err := p.Next(ctx)
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					return err
				}
				payload.(*records).Release()
			}
			if i < 2 && restored() > 0 {
				t.Errorf("some of partition %d was spilled", i)
			}
		}
		if restored() != spilled {
			t.Errorf("%d bytes were spilled and %d restored", spilled, restored())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestSmallPayloadsAreSplitTogether(t *testing.T) {
	ctx := t.Context()
	by := new(byKey)
	s, err := shuffle.New(ctx, shuffle.Options{Name: "test", By: by, Parts: 4, PieceBytes: 1 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var in [][]record
	for i := range 256 {
		in = append(in, rowsOf(0, i*4, 4))
	}
	if err := insert(ctx, s, in); err != nil {
		t.Fatal(err)
	}
	if err := s.Finish(ctx); err != nil {
		t.Fatal(err)
	}
	if n := by.splits.Load(); n != 4 {
		t.Errorf("16 KiB in pieces of 1 KiB for 4 partitions took %d splits, want 4", n)
	}
	p, err := s.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if p.Len() != 4 || p.Rows() != 256 || p.Bytes() != 256*recordBytes {
		t.Errorf("partition 0 has %d payloads of %d rows in %d bytes", p.Len(), p.Rows(), p.Bytes())
	}
}

// A producer without credits does not wait for who has some and comes back only later.
func TestAProducerWithoutCreditsSplitsWhatOthersInserted(t *testing.T) {
	ctx := t.Context()
	by := new(byKey)
	s, err := shuffle.New(ctx, shuffle.Options{
		Name: "test", By: by, Parts: 2, Producers: 2, PieceBytes: 1 << 20, Credits: 100 * recordBytes,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for producer := range 2 { // the second one inserts when the first has the credits
		if err := insert(ctx, s, [][]record{rowsOf(producer, 0, 64)}); err != nil {
			t.Fatal(err)
		}
	}
	if n := by.splits.Load(); n != 1 {
		t.Errorf("there were %d splits, want 1", n)
	}
	// One that is larger than all credits fits alone.
	if err := insert(ctx, s, [][]record{rowsOf(0, 64, 1000)}); err != nil {
		t.Fatal(err)
	}
}

func TestASplitThatFailsCanBeTriedAgain(t *testing.T) {
	ctx := t.Context()
	fails := true
	by := &byKey{onSplit: func(int64) error {
		if fails {
			return errBoom
		}
		return nil
	}}
	s, err := shuffle.New(ctx, shuffle.Options{Name: "by number", By: by, Parts: 2, PieceBytes: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := insert(ctx, s, [][]record{rowsOf(0, 0, 8)}); err != nil {
		t.Fatal(err)
	}
	late, err := reserved(ctx, rowsOf(0, 8, 8))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Insert(ctx, late); !errors.Is(err, errBoom) || err.Error() != `shuffle "by number": boom` {
		t.Errorf("Insert returned %v, want the partitioner's error", err)
	}
	if err := s.Finish(ctx); !errors.Is(err, errBoom) {
		t.Errorf("Finish returned %v, want the partitioner's error", err)
	}
	fails = false
	if err := s.Insert(ctx, late); err != nil {
		t.Fatal(err)
	}
	if err := s.Finish(ctx); err != nil {
		t.Fatal(err)
	}
	var got collected
	if err := got.takeAll(ctx, s, 1<<40); err != nil {
		t.Fatal(err)
	}
	got.check(t, [][]record{rowsOf(0, 0, 16)})
}

func TestAbortWakesWhoWaits(t *testing.T) {
	r, check := newMemory(t, t.TempDir(), 1<<20)
	defer check()
	err := inNode(t.Context(), r, func(ctx context.Context) error {
		entered, leave := make(chan struct{}), make(chan struct{})
		by := &byKey{onSplit: func(n int64) error {
			if n == 1 {
				close(entered)
				<-leave
			}
			return nil
		}}
		s, err := shuffle.New(ctx, shuffle.Options{Name: "test", By: by, Parts: 2, Producers: 3, PieceBytes: 1, Credits: 1})
		if err != nil {
			return err
		}
		defer s.Close()
		returned := make(chan error)
		one := func(producer, from int) {
			go func() { returned <- insert(ctx, s, [][]record{rowsOf(producer, from, 4)}) }()
		}
		if err := insert(ctx, s, [][]record{rowsOf(0, 0, 4)}); err != nil {
			return err
		}
		one(0, 4) // splits what was inserted, and is held up
		<-entered
		one(1, 0) // waits for credits
		one(2, 0)
		go func() {
			_, err := s.Next(ctx)
			returned <- err
		}()
		s.Abort(errBoom)
		for range 3 {
			if err := <-returned; !errors.Is(err, errBoom) {
				t.Errorf("who waited got %v", err)
			}
		}
		close(leave)
		if err := <-returned; !errors.Is(err, errBoom) {
			t.Errorf("who was splitting got %v", err)
		}
		if _, err := s.Next(ctx); !errors.Is(err, errBoom) {
			t.Errorf("Next returned %v", err)
		}
		if err := s.Finish(ctx); !errors.Is(err, errBoom) {
			t.Errorf("Finish returned %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAfterTheLastFinishNothingGoesIn(t *testing.T) {
	ctx := t.Context()
	s, err := shuffle.New(ctx, shuffle.Options{Name: "test", By: new(byKey), Parts: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Finish(ctx); err != nil {
		t.Fatal(err)
	}
	if err := insert(ctx, s, [][]record{rowsOf(0, 0, 1)}); !errors.Is(err, shuffle.ErrFinished) {
		t.Errorf("Insert returned %v", err)
	}
	if err := s.Finish(ctx); !errors.Is(err, shuffle.ErrFinished) {
		t.Errorf("Finish returned %v", err)
	}
	for i := range 2 { // without rows
		if p, err := s.Next(ctx); err != nil || p.Index() != i || p.Len() != 0 {
			t.Errorf("partition %d: %v, %v", i, p, err)
		}
	}
	if _, err := s.Next(ctx); !errors.Is(err, io.EOF) {
		t.Errorf("Next returned %v after the last", err)
	}
}

func TestAPayloadThatCannotBeMeasuredIsRefused(t *testing.T) {
	s, err := shuffle.New(t.Context(), shuffle.Options{Name: "test", By: new(byKey), Parts: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Insert(t.Context(), "text"); err == nil || err.Error() != `shuffle "test": string is no records` {
		t.Errorf("Insert returned %v", err)
	}
}

func TestOptionsThatMakeNoSenseAreNamed(t *testing.T) {
	by := new(byKey)
	for want, opts := range map[string]shuffle.Options{
		`shuffle "a": no partitioner: set By`:                                   {Name: "a", Parts: 1},
		`shuffle "b": 0 partitions: there must be at least 1`:                   {Name: "b", By: by},
		`shuffle "c": -1 producers: there must be at least 1`:                   {Name: "c", By: by, Parts: 1, Producers: -1},
		`shuffle "d": pieces of -1 bytes: leave PieceBytes out for the default`: {Name: "d", By: by, Parts: 1, PieceBytes: -1},
		`shuffle "e": credits of -1 bytes: leave Credits out for the default`:   {Name: "e", By: by, Parts: 1, Credits: -1},
		`shuffle "f": level -1: the first is 0`:                                 {Name: "f", By: by, Parts: 1, Level: -1},
	} {
		if _, err := shuffle.New(t.Context(), opts); err == nil || err.Error() != want {
			t.Errorf("New returned %v, want %s", err, want)
		}
	}
}

// Each of the two has more than a half of the memory to shuffle.
func TestTwoShufflesAtBothSidesOfAChannelShareOneTinyLimit(t *testing.T) {
	r, check := newMemory(t, t.TempDir(), 32<<10)
	defer check()
	net := sluice.NewNetwork("test", sluice.WithMemory(r))
	between := net.Channel("between")
	var in [][]record
	for i := range 64 {
		in = append(in, rowsOf(0, i*48, 48)) // 768 bytes
	}
	shuffled := func(ctx context.Context, insertAll func(s *shuffle.Shuffle) error, take func(rows *records) error) error {
		s, err := shuffle.New(ctx, shuffle.Options{Name: "test", By: new(byKey), Parts: 8})
		if err != nil {
			return err
		}
		defer s.Close()
		if err := insertAll(s); err != nil {
			return err
		}
		if err := s.Finish(ctx); err != nil {
			return err
		}
		for {
			p, err := s.Next(ctx)
			if errors.Is(err, io.EOF) {
				return nil
			}
			for err == nil {
				var payload any
				if payload, err = p.Next(ctx); err == nil {
					err = take(payload.(*records))
				}
			}
			if !errors.Is(err, io.EOF) {
				return err
			}
		}
	}
	net.Node("first", func(ctx context.Context) error {
		seq := sluice.SeqNum(0)
		return shuffled(ctx, func(s *shuffle.Shuffle) error { return insert(ctx, s, in) }, func(rows *records) error {
			m := sluice.NewMessage(seq, rows)
			defer m.Release()
			seq++
			return between.Send(ctx, &m)
		})
	}, sluice.Writes(between))
	var got []record
	net.Node("second", func(ctx context.Context) error {
		return shuffled(ctx, func(s *shuffle.Shuffle) error {
			for m, err := range between.All(ctx) {
				if err != nil {
					return err
				}
				payload, err := sluice.Take[*records](&m)
				if err != nil {
					return err
				}
				if err := s.Insert(ctx, payload); err != nil {
					payload.Release()
					return err
				}
			}
			return nil
		}, func(rows *records) error {
			defer rows.Release()
			some, err := rows.rows()
			got = append(got, some...)
			return err
		})
	}, sluice.Reads(between).At(mem.Host))
	if err := net.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if spilled := r.Stats().Kinds[mem.Host].Spilled; spilled == 0 {
		t.Errorf("nothing was spilled")
	}
	slices.SortFunc(got, func(a, b record) int { return int(a.id) - int(b.id) })
	if !slices.Equal(got, slices.Concat(in...)) {
		t.Errorf("%d rows came out, %d went in", len(got), 64*48)
	}
}

func ExampleShuffle() {
	ctx := context.Background()
	s, err := shuffle.New(ctx, shuffle.Options{Name: "by number", By: new(byKey), Parts: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	rows, err := reserved(ctx, rowsOf(0, 0, 7))
	if err == nil {
		err = s.Insert(ctx, rows)
	}
	if err == nil {
		err = s.Finish(ctx)
	}
	for err == nil {
		var p *shuffle.Partition
		if p, err = s.Next(ctx); err == nil {
			fmt.Println(p.Index(), p.Rows())
		}
	}
	fmt.Println(err)
	// Output:
	// 0 4
	// 1 3
	// EOF
}
