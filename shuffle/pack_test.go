package shuffle_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync"
	"testing"

	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/shuffle"
)

// smallPieces inserts 48 KiB of rows in 24 splits of 4 pieces each, under a limit that they fit.
func smallPieces(ctx context.Context, by shuffle.Partitioner) (*shuffle.Shuffle, error) {
	s, err := shuffle.New(ctx, shuffle.Options{Name: "test", By: by, Parts: 4, PieceBytes: 512})
	if err != nil {
		return nil, err
	}
	var in [][]record
	for i := range 24 {
		in = append(in, rowsOf(0, i*128, 128))
	}
	if err := insert(ctx, s, in); err != nil {
		return s, err
	}
	return s, s.Finish(ctx)
}

// squeeze makes the spiller find so many bytes.
func squeeze(ctx context.Context, bytes int64) error {
	res, err := mem.FromContext(ctx).Reserve(ctx, mem.Host, bytes)
	res.Release()
	return err
}

func TestPiecesOfAPartitionAreSpilledTogether(t *testing.T) {
	r, check := newMemory(t, t.TempDir(), 64<<10)
	defer check()
	by := new(packer)
	err := inNode(t.Context(), r, func(ctx context.Context) error {
		s, err := smallPieces(ctx, by)
		if s != nil {
			defer s.Close()
		}
		if err != nil {
			return err
		}
		if err := squeeze(ctx, 28<<10); err != nil {
			return err
		}
		// Two partitions of 12 KiB, of which 2 KiB, four pieces, are a thirty-second of the limit.
		if packs, packed := by.packs.Load(), by.packed.Load(); packs == 0 || packed != 4*packs {
			t.Errorf("%d pieces were spilled in %d packs", packed, packs)
		}
		var got collected
		if err := got.takeAll(ctx, s, 1<<40); err != nil {
			return err
		}
		got.check(t, [][]record{rowsOf(0, 0, 24*128)})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAPartitionOfPacksSaysHowManyRowsAreLeft(t *testing.T) {
	r, check := newMemory(t, t.TempDir(), 64<<10)
	defer check()
	err := inNode(t.Context(), r, func(ctx context.Context) error {
		s, err := smallPieces(ctx, new(packer))
		if s != nil {
			defer s.Close()
		}
		if err != nil {
			return err
		}
		for range 4 {
			p, err := s.Next(ctx)
			if err != nil {
				return err
			}
			rows, bytes, len := p.Rows(), p.Bytes(), p.Len()
			if err := squeeze(ctx, 60<<10); err != nil {
				return err
			}
			if p.Rows() != rows || p.Bytes() != bytes || p.Index() == 0 && p.Len() >= len {
				t.Errorf("%d rows, %d bytes, %d pieces became %d, %d and %d", rows, bytes, len, p.Rows(), p.Bytes(), p.Len())
			}
			for {
				payload, err := p.Next(ctx)
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					return err
				}
				some := payload.(*records)
				rows -= some.Size() / recordBytes
				some.Release()
				if p.Rows() != rows {
					t.Errorf("%d rows are left, it says %d", rows, p.Rows())
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAPieceThatIsTakenWhileItIsPackedComesWithTheOthers(t *testing.T) {
	r, check := newMemory(t, t.TempDir(), 64<<10)
	defer check()
	packing, packed := make(chan struct{}), make(chan struct{})
	by := &packer{}
	by.onPack = sync.OnceFunc(func() {
		close(packing)
		<-packed
	})
	err := inNode(t.Context(), r, func(ctx context.Context) error {
		s, err := smallPieces(ctx, by)
		if s != nil {
			defer s.Close()
		}
		if err != nil {
			return err
		}
		for range 3 {
			p, err := s.Next(ctx)
			if err != nil {
				return err
			}
			p.Release()
		}
		p, err := s.Next(ctx)
		if err != nil {
			return err
		}
		g, ctx := newGroup(ctx)
		g.start(func() error { return squeeze(ctx, 60<<10) }) // all that there is
		<-packing
		rows, bytes, len := p.Rows(), p.Bytes(), p.Len()
		var first [2]*records // taken while the four first pieces are packed: the pack, and what is behind it
		for i := range first {
			g.start(func() error {
				payload, err := p.Next(ctx)
				if err == nil {
					first[i] = payload.(*records)
				}
				return err
			})
			for p.Len() == len-i {
				runtime.Gosched()
			}
		}
		close(packed)
		if err := g.wait(); err != nil {
			return err
		}
		for _, some := range first {
			rows, bytes = rows-some.Size()/recordBytes, bytes-some.Size()
			some.Release()
		}
		if p.Rows() != rows || p.Bytes() != bytes {
			t.Errorf("it says that %d rows and %d bytes are left of %d and %d", p.Rows(), p.Bytes(), rows, bytes)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// While one split takes its time, or fails, others add pieces before and behind those that it makes.
func TestPacksKeepTheOrderOfWhatIsSplitLate(t *testing.T) {
	for _, fails := range []bool{false, true} {
		r, check := newMemory(t, t.TempDir(), 64<<10)
		splitting, goOn := make(chan struct{}), make(chan struct{})
		wait := sync.OnceFunc(func() {
			close(splitting)
			<-goOn
		})
		by := &packer{}
		by.onSplit = func(n int64) error {
			if n != 2 {
				return nil
			}
			if wait(); fails {
				return errBoom
			}
			return nil
		}
		err := inNode(t.Context(), r, func(ctx context.Context) error {
			s, err := shuffle.New(ctx, shuffle.Options{Name: "test", By: by, Parts: 4, Producers: 2, PieceBytes: 512})
			if err != nil {
				return err
			}
			defer s.Close()
			inserted := 0
			next := func(n int) error { // each payload is a batch of its own, split by who inserts the next
				for range n {
					if err := insert(ctx, s, [][]record{rowsOf(0, 128*inserted, 128)}); err != nil {
						return err
					}
					inserted++
				}
				return nil
			}
			if err := next(2); err != nil {
				return err
			}
			g, _ := newGroup(ctx)
			g.start(func() error { return insert(ctx, s, [][]record{rowsOf(1, 0, 128)}) })
			<-splitting
			if err := next(2); err != nil { // one is split
				return err
			}
			// What was split is 4 KiB, as are those that are not; the split has as much to itself, and
			// 8 KiB are set aside: so all of it has to go.
			if !fails {
				if err := squeeze(ctx, 52<<10); err != nil {
					return err
				}
			}
			close(goOn)
			other := [][]record{rowsOf(1, 0, 128)}
			if err := g.wait(); fails {
				if !errors.Is(err, errBoom) {
					return err
				}
				other = nil
				if err := squeeze(ctx, 54<<10); err != nil {
					return err
				}
			} else if err != nil {
				return err
			}
			if err := next(2); err != nil {
				return err
			}
			for range 2 {
				if err := s.Finish(ctx); err != nil {
					return err
				}
			}
			if err := squeeze(ctx, 56<<10); err != nil {
				return err
			}
			var got collected
			if err := got.takeAll(ctx, s, 1<<40); err != nil {
				return err
			}
			got.check(t, append(other, rowsOf(0, 0, 128*inserted)))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		check()
	}
}

func TestAPieceThatIsLargerThanAPackIsSpilled(t *testing.T) {
	r, check := newMemory(t, t.TempDir(), 64<<10)
	defer check()
	err := inNode(t.Context(), r, func(ctx context.Context) error {
		s, err := shuffle.New(ctx, shuffle.Options{Name: "test", By: new(packer), Parts: 1})
		if err != nil {
			return err
		}
		defer s.Close()
		in := [][]record{rowsOf(0, 0, 384), rowsOf(0, 384, 384)} // 6 KiB each
		if err := insert(ctx, s, in); err != nil {
			return err
		}
		if err := s.Finish(ctx); err != nil {
			return err
		}
		if err := squeeze(ctx, 56<<10); err != nil {
			return err
		}
		var got collected
		if err := got.takeAll(ctx, s, 1<<40); err != nil {
			return err
		}
		got.check(t, in)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsWorthAWriteIsSpilledBeforeLess(t *testing.T) {
	r, check := newMemory(t, t.TempDir(), 64<<10)
	defer check()
	by := new(packer)
	err := inNode(t.Context(), r, func(ctx context.Context) error {
		s, err := shuffle.New(ctx, shuffle.Options{Name: "test", By: by, Parts: 4, PieceBytes: 512})
		if err != nil {
			return err
		}
		defer s.Close()
		var in [][]record
		for i := range 8 { // 2 KiB of the first partition each, and one row of the last
			rows := rowsOf(0, i*128, 128)
			for j := range rows {
				rows[j].key = 0
			}
			rows[0].key = 3
			in = append(in, rows)
		}
		if err := insert(ctx, s, in); err != nil {
			return err
		}
		if err := s.Finish(ctx); err != nil {
			return err
		}
		if err := squeeze(ctx, 56<<10-15<<10); err != nil {
			return err
		}
		if p, packs := by.packed.Load(), by.packs.Load(); p != packs || packs == 0 {
			t.Errorf("%d pieces were spilled in %d packs, not some of the first partition by themselves", p, packs)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// failingPacker fails, or panics, instead of packing.
type failingPacker struct {
	packer
	panics bool
}

func (p *failingPacker) Pack(context.Context, string, []any, *mem.Reservation) (any, int, error) {
	if p.panics {
		panic("boom")
	}
	return nil, 0, errBoom
}

func TestPiecesThatCannotBePackedStayWhereTheyAre(t *testing.T) {
	for _, by := range []*failingPacker{{}, {panics: true}} {
		r, check := newMemory(t, t.TempDir(), 64<<10)
		err := inNode(t.Context(), r, func(ctx context.Context) error {
			s, err := smallPieces(ctx, by)
			if s != nil {
				defer s.Close()
			}
			if err != nil {
				return err
			}
			var none *mem.NoMemoryError
			if err := squeeze(ctx, 28<<10); !errors.As(err, &none) || none.Spilling == nil {
				t.Errorf("%v", err)
			}
			var got collected
			if err := got.takeAll(ctx, s, 1<<40); err != nil {
				return err
			}
			got.check(t, [][]record{rowsOf(0, 0, 24*128)})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		check()
	}
}
