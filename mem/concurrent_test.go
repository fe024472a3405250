package mem_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/mem"
)

// Some hold references for a while and look at the bytes, others move the buffer all the
// time: whoever gets to see bytes sees the right ones, and nothing is left in the end. Run
// with -race, which sees memory that moves away under somebody's eyes.
func TestThoseWhoLookAndThoseWhoMoveNeverMeet(t *testing.T) {
	const goroutines, steps, n = 4, 300, 5000
	r := newResource(t, mem.Options{SpillDir: t.TempDir()})
	b := alloc(t, r, mem.Host, n, newStream(t, r.Device(), "s"))
	want := pattern(n, 1)
	put(t, b, want)
	var all sync.WaitGroup
	for g := range goroutines {
		random := rand.New(rand.NewPCG(uint64(g), 1))
		all.Go(func() {
			for range steps {
				if g%2 == 0 {
					moveAbout(t, r, b, random)
				} else {
					lookAt(t, b, want, newStream(t, r.Device(), "reader"))
				}
			}
		})
	}
	all.Wait()
	_, err := b.Restore(context.Background(), nil)
	errIs(t, err, nil)
	if !bytes.Equal(contents(t, b), want) {
		t.Error("the bytes have changed")
	}
	b.Release()
	r.SettleFrees(context.Background())
	wantUsed(t, r, mem.Amount{})
}

func moveAbout(t *testing.T, r *mem.Resource, b *mem.Buffer, random *rand.Rand) {
	ctx := context.Background()
	to := mem.Kind(random.IntN(mem.Kinds))
	res, err := r.Reserve(ctx, to, mem.Need(to, b.Size()))
	if err != nil {
		t.Error(err)
		return
	}
	defer res.Release()
	if random.IntN(2) == 0 {
		_, err = b.Spill(ctx, res)
	} else {
		_, err = b.Restore(ctx, res)
	}
	var lacking *mem.OverdrawnError // of what is in slower memory already
	if err != nil && !errors.Is(err, mem.ErrPending) && !errors.Is(err, mem.ErrShared) && !errors.As(err, &lacking) {
		t.Error(err)
	}
}

func lookAt(t *testing.T, b *mem.Buffer, want []byte, s device.Stream) {
	mine := b.Retain()
	defer mine.Release()
	got, err := mine.Bytes()
	var away *mem.ResidencyError
	switch {
	case err == nil:
		if !bytes.Equal(got, want) {
			t.Error("saw other bytes")
		}
	case !errors.Is(err, mem.ErrPending) && !errors.As(err, &away):
		t.Error(err)
	}
	read := make([]byte, len(want))
	err = mine.Read(s, func(src device.Span) error { return s.Copy(device.Bytes(read), src) })
	if errors.Is(err, mem.ErrPending) || errors.As(err, &away) {
		return
	}
	if err = errors.Join(err, s.Sync(context.Background())); err != nil || !bytes.Equal(read, want) {
		t.Errorf("read other bytes, error %v", err)
	}
}

func TestARegisteredBufferMakesRoomForWhoWaits(t *testing.T) {
	const n = 100_000
	r := newResource(t, mem.Options{SpillDir: t.TempDir(), Limits: [mem.Kinds]mem.Limit{mem.Host: mem.Bytes(8 * n / 7 * 2)}})
	var buffers []*mem.Buffer
	var registered []*mem.Registration
	for i := range 10 {
		b := alloc(t, r, mem.Host, n, nil) // all but the first two wait for room
		put(t, b, pattern(n, byte(i)))
		buffers = append(buffers, b)
		registered = append(registered, r.Register(context.Background(), "buffer", b))
	}
	if spilled := r.Stats().Kinds[mem.Host].Spilled; spilled < 8*n {
		t.Errorf("%d bytes were spilled", spilled)
	}
	for i, b := range buffers {
		registered[i].Remove()
		if b.Kind() == mem.Disk {
			restore(t, r, b, mem.Host)
		}
		if !bytes.Equal(contents(t, b), pattern(n, byte(i))) {
			t.Errorf("buffer %d does not hold what was written", i)
		}
		b.Release()
	}
}
