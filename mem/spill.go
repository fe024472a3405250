package mem

import (
	"context"
	"errors"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/internal/extent"
)

// Need returns how much of a kind must be reserved so that n bytes fit that are moved there
// together. On disk they take whole pages; what turns out to be too much goes back to
// the reservation.
func Need(k Kind, n int64) int64 {
	if k == Disk {
		return extent.Bound(n)
	}
	return n
}

// Spill moves the buffer to a slower kind of memory, of which res must have [Need] left, and
// returns how many bytes that freed. What res has of several kinds is tried fastest
// first. It waits for the latest write, for the copy, and for the disk. A buffer that
// is shared or in use stays where it is: 0 and no error, so that the next can be tried.
//
// The buffer stays charged to whom it was charged before. On an error (ctx, the device, the
// disk, an [*OverdrawnError]) it is where it was. If the latest write has failed, or the
// device whose memory it is in, every call fails and says so, and its Content is
// not Spillable any more. With a nil res it goes from device or pinned memory to the Go heap.
func (b *Buffer) Spill(ctx context.Context, res *Reservation) (freed int64, err error) {
	freed, err = spill(ctx, res, b.label(), shares([]*Buffer{b}))
	if errors.Is(err, ErrShared) || errors.Is(err, ErrPending) {
		return 0, nil
	}
	return freed, err
}

// label is what errors of the disk call a buffer that is spilled by itself.
func (b *Buffer) label() string {
	o := b.lock()
	defer o.mu.Unlock()
	if a := o.mu.at.account; a != nil && a.name != "" {
		return "buffer of node " + a.name
	}
	return "buffer"
}

// spill moves bodies to a slower kind. Where res has not enough for all that are faster,
// it moves those of one kind.
func spill(ctx context.Context, res *Reservation, label string, list []share) (freed int64, err error) {
	to, some, err := slower(res, list)
	if err != nil || len(some) == 0 {
		return 0, err
	}
	for i := range some {
		some[i].sole = true
	}
	if err := claim(some, nil); err != nil {
		return 0, err
	}
	defer unclaim(some)
	// Since they were looked at, somebody else may have moved them.
	for _, s := range some {
		if s.body.mu.at.kind >= to {
			return 0, ErrPending
		}
	}
	if err := move(ctx, res, to, label, some); err != nil {
		return 0, err
	}
	return bytesOf(some), nil
}

// slower returns a kind to spill to, and which bodies go there.
func slower(res *Reservation, list []share) (Kind, []share, error) {
	var at [Kinds][]share
	for _, s := range list {
		s.body.mu.Lock()
		k := s.body.mu.at.kind
		s.body.mu.Unlock()
		at[k] = append(at[k], s)
	}
	if bytesOf(list) == bytesOf(at[Disk]) {
		return 0, nil, nil // there is nothing to free
	}
	if res == nil {
		if bytesOf(at[Device])+bytesOf(at[Pinned]) == 0 {
			return 0, nil, errors.New("mem: spilling host memory without a reservation: reserve room on disk for it")
		}
		return Host, append(at[Device], at[Pinned]...), nil
	}
	lacking := &OverdrawnError{Kind: Disk}
	for to := Pinned; to < Kinds; to++ {
		left := res.Left(to)
		if left == 0 {
			continue
		}
		var all []share
		for k := Device; k < to; k++ {
			all = append(all, at[k]...)
		}
		if bytesOf(all) == 0 {
			continue
		}
		if Need(to, bytesOf(all)) <= left {
			return to, all, nil
		}
		lacking = &OverdrawnError{Kind: to, Need: Need(to, bytesOf(all)), Left: left}
		var best []share
		for k := Device; k < to; k++ {
			if n := bytesOf(at[k]); n > bytesOf(best) && Need(to, n) <= left {
				best = at[k]
			}
		}
		if best != nil {
			return to, best, nil
		}
	}
	if lacking.Need == 0 {
		lacking.Need = Need(Disk, bytesOf(list))
	}
	return 0, nil, lacking
}

// Restore moves the buffer to the fastest kind of memory of which res has enough left,
// and returns how many bytes it moved: 0 if it is there already. That may be a slower
// kind than the one it is in, for who wants to have it there; but pinned memory is host memory,
// and better, so from there it does not go to Host. It waits for the latest write,
// for the copy, and for the disk, and if somebody else restores it already, for that; it is
// [ErrPending] if another call uses the buffer, and [ErrShared] if others hold references
// to host memory that they may be looking at.
//
// Device memory and disk are left although others refer to the buffer, too, and then it has
// moved for all of them. A slice takes the whole memory along that it is of. So reserve what
// [Buffer.RestoreNeed] says, not Size: Content, too, says nothing of what is shared.
//
// What is restored is charged to who reserved res. On an error (ctx, the device, the disk,
// a checksum, an [*OverdrawnError]) the bytes are safe and Restore can be tried again,
// unless they were lost with a write that failed. With a nil res it goes to the Go heap.
func (b *Buffer) Restore(ctx context.Context, res *Reservation) (bytes int64, err error) {
	return restore(ctx, res, shares([]*Buffer{b}))
}

// RestoreNeed returns how many bytes of a kind of memory must be reserved so that [Buffer.Restore]
// moves the buffer there: 0 if it is there already, else all of the memory that it
// is of, whoever refers to it. Pinned memory will do for Host. To Disk nothing is restored,
// and the answer is 0.
func (b *Buffer) RestoreNeed(k Kind) int64 {
	o := b.lock()
	o.mu.Unlock()
	if k == Disk {
		return 0
	}
	return bytesOf(outside([]share{{body: o}}, k))
}

func restore(ctx context.Context, res *Reservation, list []share) (bytes int64, err error) {
	for {
		n, err := tryRestore(ctx, res, list)
		var other *restoringError
		switch {
		case errors.As(err, &other):
			select {
			case <-other.over:
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		case err != errMoved: //nolint:errorlint // it is never wrapped
			return n, err
		}
	}
}

// errMoved says that others have restored bodies since they were looked at.
var errMoved = errors.New("mem: restored meanwhile")

func tryRestore(ctx context.Context, res *Reservation, list []share) (bytes int64, err error) {
	to, some, err := faster(res, list)
	if err != nil {
		return 0, err
	}
	over := make(chan struct{})
	defer close(over)
	err = claim(some, over)
	if err == nil {
		defer unclaim(some)
	}
	if !errors.As(err, new(*restoringError)) && len(outside(some, to)) < len(some) {
		return 0, errMoved
	}
	if err == nil {
		err = move(ctx, res, to, "", some)
	}
	if err != nil {
		return 0, err
	}
	return bytesOf(some), nil
}

// faster returns the kind to restore to, and which bodies are not there. A reservation with
// nothing left does for bodies that need nothing: they are there, or empty.
func faster(res *Reservation, list []share) (Kind, []share, error) {
	lacking := &OverdrawnError{Kind: Host}
	for to := Device; to < Disk; to++ {
		left := res.Left(to)
		if res != nil && left == 0 || res == nil && to != Host {
			continue
		}
		away := outside(list, to)
		if res == nil || bytesOf(away) <= left {
			return to, away, nil
		}
		lacking = &OverdrawnError{Kind: to, Need: bytesOf(away), Left: left}
	}
	if lacking.Left == 0 {
		for to := Device; to < Disk; to++ {
			if away := outside(list, to); len(away) == 0 || to == Host && bytesOf(away) == 0 {
				return to, away, nil
			}
		}
		lacking.Need = bytesOf(outside(list, Host))
	}
	return 0, nil, lacking
}

// outside returns which bodies are not in a kind. Pinned memory is host memory, and better.
func outside(list []share, k Kind) (away []share) {
	for _, s := range list {
		s.body.mu.Lock()
		if at := s.body.mu.at.kind; at != k && (k != Host || at != Pinned) {
			away = append(away, s)
		}
		s.body.mu.Unlock()
	}
	return away
}

// Copy returns a new buffer with the same bytes, as an any for [sluice.Message.Copy], in
// memory from res: of the kind that the buffer is in, if there is enough left of it, else of
// the fastest kind of which there is; with a nil res, memory of the same kind that
// nobody counts. It does not wait: where the bytes are not there yet, or memory of a
// device takes part, the copy is queued on the buffer's stream, which is that of the copy, too.
//
// The errors are those of [Buffer.Read] and [Reservation.Alloc]; on disk it is a
// [*ResidencyError].
//
// [sluice.Message.Copy]: https://pkg.go.dev/github.com/seed14ed4225/sluice#Message.Copy
func (b *Buffer) Copy(ctx context.Context, res *Reservation) (any, error) {
	o := b.lock()
	at, s := o.mu.at.kind, o.mu.stream
	o.mu.Unlock()
	if at == Disk {
		return nil, &ResidencyError{Call: "Copy", Kind: Disk, Want: Host, Size: b.n}
	}
	to := at
	if res != nil && b.n > 0 && res.Left(at) < b.n {
		for to = Device; to < Disk && res.Left(to) < b.n; to++ {
		}
		if to == Disk {
			return nil, &OverdrawnError{Kind: at, Need: b.n, Left: res.Left(at)}
		}
	}
	if p := res.pool(); p != nil && s == nil && to != Host {
		var err error
		if s, err = p.streams.stream(p.device); err != nil {
			return nil, err
		}
	}
	c, err := res.Alloc(to, b.n, s)
	if err != nil {
		return nil, err
	}
	if err := b.copyTo(c, s); err != nil {
		c.Release()
		return nil, err
	}
	return c, nil
}

func (b *Buffer) copyTo(c *Buffer, s device.Stream) error {
	if to, err := c.Exclusive(); err == nil {
		from, err := b.Bytes()
		if err == nil {
			copy(to, from)
			return nil
		}
		if s == nil || !errors.Is(err, ErrPending) && !errors.As(err, new(*ResidencyError)) {
			return err
		}
	}
	return b.Read(s, func(src device.Span) error {
		return c.Write(func(s device.Stream, dst device.Span) error { return s.Copy(dst, src) })
	})
}
