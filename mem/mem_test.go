package mem_test

import (
	"testing"

	"github.com/seed14ed4225/sluice/mem"
)

func TestKindsHaveTheNamesOfJobFiles(t *testing.T) {
	for kind, want := range map[mem.Kind]string{
		mem.Device: "device", mem.Pinned: "pinned", mem.Host: "host", mem.Disk: "disk", mem.Kinds: "mem.Kind(4)", 255: "mem.Kind(255)",
	} {
		if got := kind.String(); got != want {
			t.Errorf("Kind %d is called %q, want %q", uint8(kind), got, want)
		}
	}
}

func TestKindsAreInOrderOfPreference(t *testing.T) {
	if mem.Device >= mem.Pinned || mem.Pinned >= mem.Host || mem.Host >= mem.Disk || mem.Disk >= mem.Kinds {
		t.Error("want device, pinned, host, disk")
	}
}

func TestContentAddsUpPerKind(t *testing.T) {
	a := mem.Content{Bytes: [mem.Kinds]int64{1, 2, 3, 4}, Spillable: true}
	b := mem.Content{Bytes: [mem.Kinds]int64{10, 0, 30, 0}, Spillable: true}
	sum := a.Plus(b)
	if want := (mem.Content{Bytes: [mem.Kinds]int64{11, 2, 33, 4}, Spillable: true}); sum != want {
		t.Errorf("a + b = %v, want %v", sum, want)
	}
	if got := sum.Total(); got != 50 {
		t.Errorf("Total = %d, want 50", got)
	}
	if got := sum.In(mem.Host); got != 33 {
		t.Errorf("In(Host) = %d, want 33", got)
	}
	if a.Bytes[mem.Device] != 1 {
		t.Error("Plus changed its receiver")
	}
}

func TestASumIsSpillableWhenBothAre(t *testing.T) {
	yes, no := mem.Content{Spillable: true}, mem.Content{}
	for _, c := range []struct {
		a, b mem.Content
		want bool
	}{{yes, yes, true}, {yes, no, false}, {no, yes, false}, {no, no, false}} {
		if got := c.a.Plus(c.b).Spillable; got != c.want {
			t.Errorf("%v + %v spillable: %v, want %v", c.a.Spillable, c.b.Spillable, got, c.want)
		}
	}
}

func TestTheZeroContentIsThatOfAPlainValue(t *testing.T) {
	if c := (mem.Content{}); c.Total() != 0 || c.Spillable {
		t.Errorf("%v", c)
	}
}
