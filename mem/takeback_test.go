package mem_test

import (
	"testing"

	"github.com/seed14ed4225/sluice/mem"
)

func TestWhatIsTakenBackIsThereForTheNextAllocation(t *testing.T) {
	r := newResource(t, hostOf(8))
	res := reserve(t, r, mem.Host, 5*k)
	defer res.Release()
	small, err := res.Alloc(mem.Host, 2*k, nil)
	errIs(t, err, nil)
	res.TakeBack(small)
	if left := res.Left(mem.Host); left != 5*k {
		t.Errorf("%d bytes left, want all", left)
	}
	large, err := res.Alloc(mem.Host, 5*k, nil)
	errIs(t, err, nil)
	shared := large.Retain()
	res.TakeBack(large) // somebody else has it
	if left := res.Left(mem.Host); left != 0 {
		t.Errorf("%d bytes left of what is in use", left)
	}
	put(t, shared, pattern(5*k, 1))
	shared.Release()
	wantUsed(t, r, mem.Amount{})
}

func TestWhatIsTakenBackLaterGoesToTheResource(t *testing.T) {
	r := newResource(t, hostOf(8))
	res := reserve(t, r, mem.Host, 5*k)
	b, err := res.Alloc(mem.Host, 2*k, nil)
	errIs(t, err, nil)
	res.Release()
	res.TakeBack(b)
	wantUsed(t, r, mem.Amount{})
	if reserved := r.Stats().Kinds[mem.Host].Reserved; reserved != 0 || res.Left(mem.Host) != 0 {
		t.Errorf("%d bytes reserved", reserved)
	}
	(*mem.Reservation)(nil).TakeBack(nil)
}
