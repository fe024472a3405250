package mem

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/seed14ed4225/sluice/internal/extent"
)

// toDisk writes bodies to disk, as one extent.
func toDisk(ctx context.Context, res *Reservation, label string, list []share) error {
	p, err := res.disk()
	if err != nil {
		return err
	}
	bound := extent.Bound(bytesOf(list))
	a, err := res.chargeTo(list[0].body.mu.at.account, Disk, bound)
	if err != nil {
		return err
	}
	var e *extent.Extent
	err = p.onHost(ctx, list, func(views []holding) error {
		parts := make([][]byte, len(views))
		for i := range views {
			parts[i] = views[i].bytes
		}
		var err error
		e, err = p.store.Write(ctx, label, parts...)
		return err
	})
	if err != nil {
		res.unchargeFrom(a, Disk, bound)
		return err
	}
	in := &stored{extent: e, account: a, charged: e.Stored()}
	in.mu.bodies = len(list)
	to := make([]holding, len(list))
	var off int64
	for i, l := range list {
		to[i] = holding{kind: Disk, n: l.body.n, pool: p, account: a, stored: in, off: off}
		off += l.body.n
	}
	res.unchargeFrom(a, Disk, bound-in.charged)
	if err := commit(ctx, list, to, nil); err != nil {
		for range list {
			in.release()
		}
		return err
	}
	return nil
}

// disk returns the pool whose disk the reservation is of.
func (res *Reservation) disk() (*pool, error) {
	if res == nil || res.account.scope.store == nil {
		return nil, errors.New("mem: there is no spill directory: name one in Options.SpillDir")
	}
	return res.account.scope.pool, nil
}

// fromDisk reads the bodies of an extent back. The extent is used up by reading it. So if
// they cannot be taken on to device memory after that, they stay in host memory, even if
// that is beyond the limit.
func fromDisk(ctx context.Context, res *Reservation, to Kind, in *stored, list []share) error {
	slices.SortStableFunc(list, func(s, t share) int { return cmp.Compare(s.body.mu.at.off, t.body.mu.at.off) })
	s, err := mover(res.pool(), to, list)
	if err != nil {
		return err
	}
	into, err := allocateAll(res, to, list, s)
	if err != nil {
		return err
	}
	if to != Device {
		err := in.read(ctx, into)
		if err == nil {
			err = commit(ctx, list, into, s)
		}
		if err != nil {
			takeBack(res, into, s, nil)
		}
		return err
	}
	p := res.pool() // device memory is allocated only from a reservation
	if err := p.staging.lock(ctx); err != nil {
		takeBack(res, into, s, nil)
		return err
	}
	defer p.staging.unlock()
	staged, err := p.stage(list)
	if err == nil {
		if err = in.read(ctx, staged); err != nil {
			takeBack(nil, staged, nil, nil)
		}
	}
	if err != nil {
		takeBack(res, into, s, nil)
		return err
	}
	event, err := transfer(ctx, s, into, staged)
	if err == nil {
		err = commit(ctx, list, into, s)
		takeBack(nil, staged, nil, nil)
		return err
	}
	takeBack(res, into, s, event)
	for i := range staged {
		staged[i].account = in.account
		in.account.overcharge(Host, staged[i].n)
	}
	if err := commit(ctx, list, staged, nil); err != nil {
		return err
	}
	stillRead(list, s, event)
	return err
}

func (in *stored) read(ctx context.Context, into []holding) error {
	parts := make([][]byte, len(into))
	for i := range into {
		parts[i] = into[i].bytes
	}
	return in.extent.Read(ctx, parts...)
}
