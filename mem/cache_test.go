package mem_test

import (
	"testing"
	"testing/synctest"

	"github.com/seed14ed4225/sluice/mem"
)

// A droppable is memory that is dropped for those who wait.
type droppable struct{ *load }

func (d droppable) Content() mem.Content {
	content := d.load.Content()
	content.Spillable = d.mu.charge != nil
	if !content.Spillable {
		content.Bytes = mem.Amount{}
	}
	return content
}

func (d droppable) Drop() (freed int64) {
	d.log.add(d.name)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.charge.Release()
	d.mu.charge = nil
	return d.size
}

func TestACacheIsDroppedWhereThereIsNothingToSpillTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newResource(t, mem.Options{Limits: [mem.Kinds]mem.Limit{mem.Host: roomFor(2), mem.Disk: mem.Bytes(0)}})
		log := &spillLog{}
		kept, cache := newLoad(t, r, "kept", k, 0, log), newLoad(t, r, "cache", k, 0, log)
		defer r.Register(t.Context(), "kept", kept).Remove()
		defer r.RegisterCache(t.Context(), "cache", droppable{cache}).Remove()
		a := ask(t.Context(), r, mem.Of(mem.Host, k))
		a.gets(t)
		if len(log.names) != 1 || log.names[0] != "cache" {
			t.Errorf("spilled or dropped: %v", log.names)
		}
	})
}

func TestAFailedRequestKnowsWhatHadNowhereToGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newResource(t, mem.Options{Limits: [mem.Kinds]mem.Limit{mem.Host: roomFor(3), mem.Disk: mem.Bytes(0)}})
		s := &standing{}
		defer s.join(r)()
		s.still.Store(true)
		fixed := newLoad(t, r, "fixed", k, 0, &spillLog{})
		asks := func() *mem.NoMemoryError {
			_, err := r.Reserve(inNode(t.Context(), "asker"), mem.Host, 3*k)
			return errAs[*mem.NoMemoryError](t, err)
		}
		if lack := asks(); lack.Stranded != 0 {
			t.Errorf("nobody has anything to spill, and %d are stranded", lack.Stranded)
		}
		g := r.Register(t.Context(), "fixed", fixed)
		if lack := asks(); lack.Stranded != k {
			t.Errorf("%d are stranded, not %d", lack.Stranded, k)
		}
		g.Remove()
		if lack := asks(); lack.Stranded != 0 {
			t.Errorf("it has gone, and %d are stranded", lack.Stranded)
		}
	})
}
