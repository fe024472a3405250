package shuffle_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/shuffle"
)

// A gate holds up the splits that come to it until it is opened.
type gate struct{ entered, opened chan struct{} }

func newGate() *gate { return &gate{make(chan struct{}, 16), make(chan struct{})} }

func (g *gate) pass(int64) error {
	g.entered <- struct{}{}
	<-g.opened
	return nil
}

// crowded returns a shuffle of one partition in which somebody splits, held up by a gate, and
// has all credits but those for two rows; what it inserts then is after that.
func crowded(t *testing.T, producers int) (*shuffle.Shuffle, *gate, chan error) {
	g := newGate()
	s, err := shuffle.New(t.Context(), shuffle.Options{
		Name: "crowded", By: &byKey{onSplit: g.pass}, Parts: 1, Producers: producers, PieceBytes: 10 * recordBytes, Credits: 12 * recordBytes,
	})
	if err != nil {
		t.Fatal(err)
	}
	returned := make(chan error, 16)
	if err := insert(t.Context(), s, [][]record{rowsOf(0, 0, 10)}); err != nil {
		t.Fatal(err)
	}
	go func() { returned <- insert(t.Context(), s, [][]record{rowsOf(0, 10, 1)}) }()
	<-g.entered
	return s, g, returned
}

// finish finishes all producers and returns the rows of the only partition.
func finish(t *testing.T, s *shuffle.Shuffle, producers int) (rows []record) {
	for range producers {
		if err := s.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var got collected
	if err := got.takeAll(t.Context(), s, 1<<40); err != nil {
		t.Fatal(err)
	}
	return got.rows[0]
}

func TestASmallPayloadDoesNotOvertakeALargeOneThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, g, returned := crowded(t, 3)
		defer s.Close()
		ctx, cancel := context.WithCancel(t.Context())
		large, small := make(chan error, 1), make(chan error, 1)
		go func() { large <- insert(ctx, s, [][]record{rowsOf(1, 0, 10)}) }()
		synctest.Wait()
		go func() { small <- insert(t.Context(), s, [][]record{rowsOf(2, 0, 1)}) }()
		synctest.Wait()
		if len(small) > 0 {
			t.Error("one row went in before the ten that waited for credits")
		}
		cancel()
		if err := <-large; !errors.Is(err, context.Canceled) {
			t.Errorf("Insert returned %v", err)
		}
		if err := <-small; err != nil { // while somebody is splitting
			t.Error(err)
		}
		close(g.opened)
		if err := <-returned; err != nil {
			t.Error(err)
		}
	})
}

func TestWhoGivesUpWaitingKeepsItsPayloadAndTheNextIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, g, returned := crowded(t, 3)
		defer s.Close()
		ctx, cancel := context.WithCancel(t.Context())
		mine, err := reserved(ctx, rowsOf(1, 0, 10))
		if err != nil {
			t.Fatal(err)
		}
		gaveUp := make(chan error)
		go func() { gaveUp <- s.Insert(ctx, mine) }()
		synctest.Wait()
		go func() { returned <- insert(t.Context(), s, [][]record{rowsOf(2, 0, 1)}) }()
		synctest.Wait()
		cancel()
		if err := <-gaveUp; !errors.Is(err, context.Canceled) {
			t.Errorf("Insert returned %v", err)
		}
		if rows, err := mine.rows(); err != nil || !slices.Equal(rows, rowsOf(1, 0, 10)) {
			t.Errorf("the payload has %v, %v", rows, err)
		}
		close(g.opened)
		for range 2 {
			if err := <-returned; err != nil {
				t.Error(err)
			}
		}
		if rows := finish(t, s, 3); len(rows) != 12 {
			t.Errorf("%d rows came out, want 12", len(rows))
		}
	})
}

func TestANetworkSeesWhoWaitsForAShuffle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, g, returned := crowded(t, 2)
		defer s.Close()
		net := sluice.NewNetwork("test")
		net.Node("producer", func(ctx context.Context) error { return insert(ctx, s, [][]record{rowsOf(1, 0, 10)}) })
		net.Node("consumer", func(ctx context.Context) error {
			_, err := s.Next(ctx)
			return err
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- net.Run(ctx) }()
		synctest.Wait()
		want := map[string]string{"producer": "send to", "consumer": "receive from"}
		for _, n := range net.Snapshot().Nodes {
			if len(n.Waits) != 1 || n.Waits[0].To != want[n.Name] || n.Waits[0].On != "crowded" {
				t.Errorf("node %s waits for %v", n.Name, n.Waits)
			}
		}
		cancel()
		<-ended
		close(g.opened)
		<-returned
	})
}

func TestASplitThatPanicsLosesNothing(t *testing.T) {
	r, check := newMemory(t, t.TempDir(), 1<<20)
	defer check()
	by := &byKey{onSplit: func(int64) error { panic("boom") }}
	err := inNode(t.Context(), r, func(ctx context.Context) error {
		s, err := shuffle.New(ctx, shuffle.Options{Name: "test", By: by, Parts: 2})
		if err != nil {
			return err
		}
		defer s.Close()
		if err := insert(ctx, s, [][]record{rowsOf(0, 0, 10), rowsOf(0, 10, 10)}); err != nil {
			return err
		}
		return s.Finish(ctx)
	})
	var panicked *sluice.PanicError
	if !errors.As(err, &panicked) || panicked.Value != "boom" {
		t.Errorf("Run returned %v", err)
	}
}

// holding runs a function in the node of a network that has a limit of memory and no disk, and
// keeps so many bytes of it.
func holding(t *testing.T, limit, held int64, run func(ctx context.Context) error) error {
	r, err := mem.New(mem.Options{Limits: [mem.Kinds]mem.Limit{
		mem.Device: mem.Bytes(0), mem.Pinned: mem.Bytes(0), mem.Host: mem.Bytes(limit), mem.Disk: mem.Bytes(0),
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	return inNode(t.Context(), r, func(ctx context.Context) error {
		res, err := mem.FromContext(ctx).Reserve(ctx, mem.Host, held)
		if err != nil {
			return err
		}
		charge, err := res.Charge(mem.Host, held)
		if err != nil {
			return err
		}
		defer charge.Release()
		return run(ctx)
	})
}

// Of 16 KiB 2560 bytes are left, and both payloads together take 3072 to be split.
func TestWhereMemoryIsTooLittleLessIsSplitTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		by := new(byKey)
		err := holding(t, 16<<10, 12<<10, func(ctx context.Context) error {
			s, err := shuffle.New(ctx, shuffle.Options{Name: "test", By: by, Parts: 2, Credits: 1 << 20})
			if err != nil {
				return err
			}
			defer s.Close()
			if err := insert(ctx, s, [][]record{rowsOf(0, 0, 16), rowsOf(0, 16, 80)}); err != nil {
				return err
			}
			if err := s.Finish(ctx); err != nil {
				return err
			}
			var got collected
			if err := got.takeAll(ctx, s, 1<<40); err != nil {
				return err
			}
			got.check(t, [][]record{rowsOf(0, 0, 96)})
			return nil
		})
		if err != nil || by.splits.Load() != 2 {
			t.Errorf("Run returned %v after %d splits, want 2", err, by.splits.Load())
		}
	})
}

func TestWhatNothingCanMakeRoomForIsAnErrorThatSaysWhatWould(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		err := holding(t, 16<<10, 12<<10, func(ctx context.Context) error {
			s, err := shuffle.New(ctx, shuffle.Options{Name: "by number", By: new(byKey), Parts: 2})
			if err != nil {
				return err
			}
			defer s.Close()
			if err := insert(ctx, s, [][]record{rowsOf(0, 0, 200)}); err != nil { // 3200 bytes
				return err
			}
			return s.Finish(ctx)
		})
		var lacking *mem.NoMemoryError
		if !errors.As(err, &lacking) || lacking.Smallest != 12<<10+3*3200 {
			t.Errorf("Run returned %v", err)
		}
	})
}

func TestAPartitionThatIsReleasedGivesItsMemoryBack(t *testing.T) {
	r, check := newMemory(t, t.TempDir(), 1<<20)
	defer check()
	err := inNode(t.Context(), r, func(ctx context.Context) error {
		s, err := shuffle.New(ctx, shuffle.Options{Name: "test", By: new(byKey), Parts: 1})
		if err != nil {
			return err
		}
		defer s.Close()
		if err := insert(ctx, s, [][]record{rowsOf(0, 0, 100), rowsOf(0, 100, 100)}); err != nil {
			return err
		}
		if err := s.Finish(ctx); err != nil {
			return err
		}
		p, err := s.Next(ctx)
		if err != nil {
			return err
		}
		if used := r.Stats().Kinds[mem.Host].Used; used != 200*recordBytes {
			t.Errorf("%d bytes are used, want 3200", used)
		}
		p.Release()
		p.Release()
		if used := r.Stats().Kinds[mem.Host].Used; used != 0 || p.Len() != 0 || p.Rows() != 0 || p.Bytes() != 0 {
			t.Errorf("%d bytes are used, and the partition has %d payloads, %d rows, %d bytes", used, p.Len(), p.Rows(), p.Bytes())
		}
		if _, err := p.Next(ctx); !errors.Is(err, io.EOF) {
			t.Errorf("Next returned %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// spilling runs a function with the only partition of a shuffle, of one payload of 4 KiB, whose
// spill is held up by onSpill, while somebody waits for the memory.
func spilling(t *testing.T, onSpill func(context.Context), run func(ctx context.Context, s *shuffle.Shuffle, p *shuffle.Partition) error) {
	r, check := newMemory(t, t.TempDir(), 16<<10)
	defer check()
	err := inNode(t.Context(), r, func(ctx context.Context) error {
		s, err := shuffle.New(ctx, shuffle.Options{Name: "test", By: &byKey{onSpill: onSpill}, Parts: 1})
		if err != nil {
			return err
		}
		defer s.Close()
		if err := insert(ctx, s, [][]record{rowsOf(0, 0, 256)}); err != nil {
			return err
		}
		if err := s.Finish(ctx); err != nil {
			return err
		}
		p, err := s.Next(ctx)
		if err != nil {
			return err
		}
		g, ctx := newGroup(ctx)
		g.start(func() error {
			res, err := mem.FromContext(ctx).Reserve(ctx, mem.Host, 12<<10)
			res.Release()
			return err
		})
		g.start(func() error { return run(ctx, s, p) })
		return g.wait()
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAPayloadThatIsBeingSpilledIsGivenOutAfterwards(t *testing.T) {
	entered, opened := make(chan struct{}), make(chan struct{})
	spilling(t, func(context.Context) { close(entered); <-opened }, func(ctx context.Context, s *shuffle.Shuffle, p *shuffle.Partition) error {
		<-entered
		late, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := p.Next(late); !errors.Is(err, context.Canceled) {
			t.Errorf("Next returned %v while the payload was being spilled", err)
		}
		if p.Len() != 1 || p.Rows() != 256 {
			t.Errorf("%d payloads of %d rows are left", p.Len(), p.Rows())
		}
		close(opened)
		payload, err := p.Next(ctx)
		if err != nil {
			return err
		}
		defer payload.(*records).Release()
		if rows, err := payload.(*records).rows(); err != nil || !slices.Equal(rows, rowsOf(0, 0, 256)) {
			t.Errorf("the payload has %d rows, %v", len(rows), err)
		}
		return nil
	})
}

func TestAPartitionThatIsReleasedWaitsForWhatIsBeingSpilled(t *testing.T) {
	entered, opened := make(chan struct{}), make(chan struct{})
	spilling(t, func(context.Context) { close(entered); <-opened }, func(ctx context.Context, s *shuffle.Shuffle, p *shuffle.Partition) error {
		<-entered
		go func() {
			for range 100 {
				runtime.Gosched()
			}
			close(opened)
		}()
		p.Release()
		return nil
	})
}

func TestCloseCancelsSpills(t *testing.T) {
	entered := make(chan struct{})
	spilling(t, func(ctx context.Context) { close(entered); <-ctx.Done() }, func(ctx context.Context, s *shuffle.Shuffle, p *shuffle.Partition) error {
		<-entered
		s.Close()
		if _, err := p.Next(ctx); !errors.Is(err, sluice.ErrClosed) {
			t.Errorf("Next returned %v after Close", err)
		}
		return nil
	})
}

func TestAbortEndsASplitThatWaitsForMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		err := holding(t, 16<<10, 12<<10, func(ctx context.Context) error {
			s, err := shuffle.New(ctx, shuffle.Options{Name: "test", By: new(byKey), Parts: 2})
			if err != nil {
				return err
			}
			defer s.Close()
			if err := insert(ctx, s, [][]record{rowsOf(0, 0, 200)}); err != nil {
				return err
			}
			finished := make(chan error, 1)
			go func() { finished <- s.Finish(ctx) }()
			synctest.Wait()
			began := time.Now()
			s.Abort(errBoom)
			err = <-finished
			if took := time.Since(began); took > 100*time.Millisecond {
				t.Errorf("it went on for %v", took)
			}
			return err
		})
		if !errors.Is(err, errBoom) {
			t.Errorf("Run returned %v", err)
		}
	})
}

// Of 16 KiB, 6 are in use and 5 are to be split, which takes 5 more: what is to be split has to
// make room for that itself.
func TestWhatIsToBeSplitCanBeSpilledWhileItWaitsForMemory(t *testing.T) {
	r, check := newMemory(t, t.TempDir(), 16<<10)
	defer check()
	err := inNode(t.Context(), r, func(ctx context.Context) error {
		s, err := shuffle.New(ctx, shuffle.Options{Name: "test", By: new(byKey), Parts: 2})
		if err != nil {
			return err
		}
		defer s.Close()
		if err := insert(ctx, s, [][]record{rowsOf(0, 0, 320)}); err != nil {
			return err
		}
		held, err := reserved(ctx, rowsOf(1, 0, 384))
		if err != nil {
			return err
		}
		defer held.Release()
		return s.Finish(ctx)
	})
	if err != nil {
		t.Fatal(err)
	}
	if spilled := r.Stats().Kinds[mem.Host].Spilled; spilled == 0 {
		t.Error("nothing was spilled")
	}
}

// A producer that waits for credits has 6 KiB, and somebody wants 12 of 16.
func TestWhatWaitsToBeInsertedCanBeSpilled(t *testing.T) {
	r, check := newMemory(t, t.TempDir(), 16<<10)
	defer check()
	err := inNode(t.Context(), r, func(ctx context.Context) error {
		hold := newGate()
		s, err := shuffle.New(ctx, shuffle.Options{
			Name: "test", By: &byKey{onSplit: hold.pass}, Parts: 1, Producers: 2, PieceBytes: 1, Credits: 1,
		})
		if err != nil {
			return err
		}
		defer s.Close()
		if err := insert(ctx, s, [][]record{rowsOf(0, 0, 10)}); err != nil {
			return err
		}
		large, err := reserved(ctx, rowsOf(1, 0, 384))
		if err != nil {
			return err
		}
		g, ctx := newGroup(ctx)
		g.start(func() error { return insert(ctx, s, [][]record{rowsOf(0, 10, 10)}) })
		<-hold.entered
		g.start(func() error { return s.Insert(ctx, large) })
		g.start(func() error {
			defer close(hold.opened)
			res, err := mem.FromContext(ctx).Reserve(ctx, mem.Host, 12<<10)
			res.Release()
			return err
		})
		return g.wait()
	})
	if err != nil {
		t.Fatal(err)
	}
}
