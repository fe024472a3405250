package mem_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/mem"
)

func TestRestoringWhatSomebodyRestoresWaitsForThat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var faults device.Faults
		d := newDevice(t, &faults)
		r := newResource(t, mem.Options{Device: d})
		b := alloc(t, r, mem.Device, 100, newStream(t, d, "s"))
		put(t, b, pattern(100, 1))
		errIs(t, b.Wait(context.Background()), nil)
		shared := b.Retain()
		hang := faults.Hang(device.OpCopy, 1)
		type result struct {
			n   int64
			err error
		}
		done := make(chan result, 2)
		fetch := func(ctx context.Context, b *mem.Buffer) {
			n, err := b.Restore(ctx, reserve(t, r, mem.Host, 100))
			done <- result{n, err}
		}
		go fetch(context.Background(), b)
		<-hang.Reached()

		ctx, cancel := context.WithCancel(context.Background())
		go fetch(ctx, shared)
		synctest.Wait()
		cancel()
		if got := <-done; got.err != context.Canceled {
			t.Errorf("gave up with %v", got.err)
		}

		go fetch(context.Background(), shared)
		synctest.Wait()
		hang.Release()
		first, second := <-done, <-done
		if first.err != nil || second.err != nil || first.n+second.n != 100 {
			t.Errorf("restored %v and %v", first, second)
		}
		if string(contents(t, shared)) != string(pattern(100, 1)) {
			t.Error("not what was written")
		}
		shared.Release()
		b.Release()
	})
}

// Everybody who wants a shared buffer at home finds it there, whoever brings it.
func TestManyMayRestoreWhatTheyShare(t *testing.T) {
	r := newResource(t, mem.Options{SpillDir: t.TempDir()})
	for i := range 50 {
		b := alloc(t, r, mem.Device, 100, newStream(t, r.Device(), "s"))
		put(t, b, pattern(100, byte(i)))
		if i%2 == 0 {
			spill(t, r, b, mem.Disk)
		}
		const many = 4
		done := make(chan int64)
		for range many {
			b := b.Retain()
			res := reserve(t, r, mem.Host, 100)
			go func() {
				n, err := b.Restore(context.Background(), res)
				if err != nil || b.Kind() != mem.Host {
					t.Errorf("in %v, error %v", b.Kind(), err)
				}
				res.Release()
				b.Release()
				done <- n
			}()
		}
		var sum int64
		for range many {
			sum += <-done
		}
		if sum != 100 {
			t.Errorf("%d bytes were restored of 100", sum)
		}
		b.Release()
	}
	wantUsed(t, r, mem.Amount{})
}
