package main

import (
	"runtime/debug"
	"testing"

	"github.com/seed14ed4225/sluice/mem"
)

func TestTheHeapIsKeptBelowTheLimitOfTheJob(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	for _, test := range []struct {
		host mem.Limit
		want int64
	}{
		{mem.Bytes(128 << 20), 80 << 20},
		{mem.Bytes(64 << 20), 48 << 20},
		{mem.Bytes(1 << 20), 48 << 20},
		{mem.Unlimited, before},
	} {
		t.Setenv("GOMEMLIMIT", "")
		memory, err := mem.New(mem.Options{Limits: [mem.Kinds]mem.Limit{mem.Host: test.host}})
		if err != nil {
			t.Fatal(err)
		}
		undo := limitHeap(memory)
		if got := debug.SetMemoryLimit(-1); got != test.want {
			t.Errorf("with %v of host memory the heap may have %d, want %d", test.host, got, test.want)
		}
		undo()
		if got := debug.SetMemoryLimit(-1); got != before {
			t.Errorf("afterwards the limit is %d, not the %d before", got, before)
		}
		t.Setenv("GOMEMLIMIT", "1GiB")
		limitHeap(memory)
		if got := debug.SetMemoryLimit(-1); got != before {
			t.Errorf("GOMEMLIMIT is set, and the limit became %d", got)
		}
		if err := memory.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	limitHeap(nil)()
}
