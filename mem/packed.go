package mem

import (
	"context"

	"github.com/seed14ed4225/sluice/internal/extent"
)

// Packed is bytes on disk that nothing more is known of than how many they are: for many small
// payloads that wait together and come back together, of which each would cost a write, and some
// memory to remember it. What the bytes are is for whoever packed them to say. It is used up by
// Restore or Release. One call is made at a time.
type Packed struct{ stored *stored }

// PackBytes writes bytes to disk, those of parts one after the other, of which res must have
// [Need] left. They are charged to whom one of the buffers is charged that they come from, and
// count as spilled; those buffers stay the caller's, to be released after that. The
// bytes must not change until PackBytes returns. The label says in errors what they belong to.
//
// It waits for the disk. On an error (ctx, the disk, an [*OverdrawnError], that there is no
// spill directory) nothing has changed.
func PackBytes(ctx context.Context, res *Reservation, label string, of *Buffer, parts ...[]byte) (*Packed, error) {
	p, err := res.disk()
	if err != nil {
		return nil, err
	}
	var n int64
	for _, part := range parts {
		n += int64(len(part))
	}
	o := of.lock()
	owner := o.mu.at.account
	o.mu.Unlock()
	bound := extent.Bound(n)
	owner, err = res.chargeTo(owner, Disk, bound)
	if err != nil {
		return nil, err
	}
	e, err := p.store.Write(ctx, label, parts...)
	if err != nil {
		res.unchargeFrom(owner, Disk, bound)
		return nil, err
	}
	in := &stored{extent: e, account: owner, charged: e.Stored()}
	in.mu.bodies = 1
	res.unchargeFrom(owner, Disk, bound-in.charged)
	owner.moved(Host, Disk, n)
	return &Packed{in}, nil
}

// Size returns how many bytes were packed, Stored how many of the disk they take.
func (p *Packed) Size() int64 { return p.stored.extent.Size() }

// Content returns what is on disk.
func (p *Packed) Content() Content {
	return Content{Bytes: Of(Disk, p.Size())}
}

// Restore reads the bytes into new buffers of these sizes, which have to add up to Size, in host memory
// of which res must have as much left, and charged to who reserved that. It waits for the disk. On
// success the Packed is used up. On an error (ctx, a read, a checksum, an [*OverdrawnError]) it
// stays good, and Restore can be tried again.
func (p *Packed) Restore(ctx context.Context, res *Reservation, sizes ...int64) ([]*Buffer, error) {
	into := make([]holding, 0, len(sizes))
	for _, n := range sizes {
		h, err := res.allocate(Host, n, nil, nil)
		if err != nil {
			takeBack(res, into, nil, nil)
			return nil, err
		}
		into = append(into, h)
	}
	if err := p.stored.read(ctx, into); err != nil {
		takeBack(res, into, nil, nil)
		return nil, err
	}
	p.stored.release()
	made := make([]*Buffer, len(into))
	for i, h := range into {
		h.account.moved(Disk, Host, h.n)
		made[i] = newBuffer(h, nil)
		made[i].trace.allocated()
		made[i].body.trace.allocated()
	}
	return made, nil
}

// Release frees the space. It does nothing after Restore.
func (p *Packed) Release() { p.stored.release() }
