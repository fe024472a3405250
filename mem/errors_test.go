package mem_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/seed14ed4225/sluice/mem"
)

func TestNoMemorySaysWhatWasLacking(t *testing.T) {
	const mib = 1 << 20
	failed := &mem.SpillError{Name: "runs", To: mem.Disk, Err: errors.New("broken")}
	for _, c := range []struct {
		err  mem.NoMemoryError
		want string
	}{
		{mem.NoMemoryError{Kind: mem.Host, Need: 4021357, Limit: mib, Smallest: 4021357},
			"mem: 3.8MiB of host memory can never be had: the limit is 1MiB"},
		{mem.NoMemoryError{Kind: mem.Host, Need: mib + 1, Limit: mib, Smallest: mib + 1},
			"mem: 1MiB and 1B of host memory can never be had: the limit is 1MiB"},
		{mem.NoMemoryError{Kind: mem.Disk, Need: 2 * mib, Limit: mib, Smallest: 2 * mib},
			"mem: 2MiB of disk can never be had: the limit is 1MiB"},
		{mem.NoMemoryError{Kind: mem.Pinned, Need: 2 * mib, Limit: 4 * mib, Taken: 4021357, Smallest: 2*mib + 4021357},
			"mem: no 2MiB of pinned memory to be had: 3.8MiB of 4MiB are taken, none of it can be spilled, and everybody waits; this step lacked 1.8MiB"},
		{mem.NoMemoryError{Kind: mem.Host, Need: mib, Limit: 4 * mib, Taken: 4 * mib, Smallest: 5 * mib, DiskLimit: 64 * mib, DiskLeft: 10},
			"mem: no 1MiB of host memory to be had: 4MiB of 4MiB are taken, the 64MiB of disk to spill to are used up, and everybody waits; this step lacked 1MiB"},
		{mem.NoMemoryError{Kind: mem.Host, Need: mib, Limit: 4 * mib, Taken: 4 * mib, Smallest: 5 * mib, DiskLimit: 18 * mib, DiskDir: "/fast"},
			`mem: no 1MiB of host memory to be had: 4MiB of 4MiB are taken, the disk of "/fast", to spill to, is full: its 18MiB that were free, but for a reserve, are used up, and everybody waits; this step lacked 1MiB`},
		{mem.NoMemoryError{Kind: mem.Host, Need: mib, Limit: 4 * mib, Taken: 4 * mib, Smallest: 5 * mib, Stranded: 3 * mib},
			"mem: no 1MiB of host memory to be had: 4MiB of 4MiB are taken, 3MiB of it could be spilled, if there were a disk to spill to, and everybody waits; this step lacked 1MiB"},
		{mem.NoMemoryError{Kind: mem.Host, Need: mib, Limit: 4 * mib, Taken: 4 * mib, Smallest: 5 * mib, Stranded: 3 * mib, DiskLimit: 4 * mib, DiskLeft: 3 * mib},
			"mem: no 1MiB of host memory to be had: 4MiB of 4MiB are taken, the disk has no room for the 3MiB of it that could be spilled, and everybody waits; this step lacked 1MiB"},
		{mem.NoMemoryError{Kind: mem.Host, Need: mib, Limit: 4 * mib, Taken: 4 * mib, Smallest: 5 * mib, Spilling: failed},
			"mem: no 1MiB of host memory to be had: 4MiB of 4MiB are taken, spilling runs to disk failed: broken, and everybody waits; this step lacked 1MiB"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestAnOverdrawnReservationSaysHowMuchWasMissing(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		err  mem.OverdrawnError
		want string
	}{
		{mem.OverdrawnError{Kind: mem.Host, Need: 3 * mib, Left: mib},
			"mem: 3MiB of host memory wanted from a reservation with 1MiB left: reserve more at the start"},
		{mem.OverdrawnError{Kind: mem.Host, Need: mib + 9, Left: mib},
			"mem: 1MiB and 9B of host memory wanted from a reservation with 1MiB left: reserve more at the start"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestDiskIsUsedUpWhenNoMoreCanBeSpilledToIt(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		about string
		err   mem.NoMemoryError
		want  bool
	}{
		{"no disk at all", mem.NoMemoryError{Kind: mem.Host, Need: mib}, false},
		{"an empty one", mem.NoMemoryError{Kind: mem.Host, Need: mib, Limit: 16 * mib, DiskLimit: 64 * mib, DiskLeft: 64 * mib}, false},
		{"a full one", mem.NoMemoryError{Kind: mem.Host, Need: 1, Limit: 16 * mib, DiskLimit: 64 * mib}, true},
		{"less than what was asked for", mem.NoMemoryError{Kind: mem.Host, Need: 8 * mib, Limit: 16 * mib, DiskLimit: 64 * mib, DiskLeft: 7 * mib}, true},
		{"one that is too small to begin with", mem.NoMemoryError{Kind: mem.Host, Need: 1 << 10, Limit: 16 * mib, DiskLimit: 10, DiskLeft: 10}, true},
		{"a request larger than the limit", mem.NoMemoryError{Kind: mem.Host, Need: 8 * mib, Limit: 4 * mib, DiskLimit: 4 * mib, DiskLeft: 4 * mib}, false},
		{"disk itself", mem.NoMemoryError{Kind: mem.Disk, Need: mib, DiskLimit: mib}, false},
	} {
		if got := c.err.DiskUsedUp(); got != c.want {
			t.Errorf("%s: %t", c.about, got)
		}
	}
}

func TestAFailedRequestKnowsHowMuchDiskWasLeft(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := newResource(t, mem.Options{SpillDir: dir, Limits: [mem.Kinds]mem.Limit{
			mem.Host: mem.Bytes(8 * k), mem.Disk: mem.Bytes(100 * k),
		}})
		s := &standing{}
		defer s.join(r)()
		s.still.Store(true)
		disk, err := r.ReserveAll(inNode(t.Context(), "holder"), mem.Of(mem.Disk, 70*k))
		errIs(t, err, nil)
		defer disk.Release()
		_, err = r.Reserve(inNode(t.Context(), "asker"), mem.Disk, 40*k)
		if lack := errAs[*mem.NoMemoryError](t, err); lack.DiskDir != "" || lack.DiskLimit != 100*k || lack.DiskLeft != 30*k || lack.Smallest != 110*k {
			t.Errorf("%+v", lack)
		}
	})
}
