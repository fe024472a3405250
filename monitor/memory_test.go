package monitor_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/monitor"
)

func TestMemoryShowsTheKindsThatWereUsed(t *testing.T) {
	const mib = 1 << 20
	var s mem.Stats
	s.Kinds[mem.Device] = mem.KindStats{Limit: 1 << 30}
	s.Kinds[mem.Pinned] = mem.KindStats{Limit: math.MaxInt64, Peak: 1}
	s.Kinds[mem.Host] = mem.KindStats{Limit: 16 * mib, Peak: 16*mib - 1, Spilled: 96_890_000, Restored: 1023 * mib}
	s.Kinds[mem.Disk] = mem.KindStats{Limit: 3 << 29, Peak: 1000 * mib}
	want := `memory      limit     peak  spilled  restored
pinned  unlimited       1B
host        16MiB    16MiB  92.4MiB   1023MiB
disk       1.5GiB  1000MiB
`
	if diff := cmp.Diff(want, monitor.Memory(s)); diff != "" {
		t.Error(diff)
	}
}

func TestMemoryShowsByHowMuchALimitWasExceeded(t *testing.T) {
	var s mem.Stats
	s.Kinds[mem.Host] = mem.KindStats{Limit: 6 << 20, Peak: 7 << 20, Overbooked: 1 << 20, Spilled: 1 << 30}
	s.Kinds[mem.Disk] = mem.KindStats{Limit: 1 << 30, Peak: 1 << 20}
	want := `memory  limit  peak  spilled  restored  exceeded by
host     6MiB  7MiB     1GiB                   1MiB
disk     1GiB  1MiB
`
	if diff := cmp.Diff(want, monitor.Memory(s)); diff != "" {
		t.Error(diff)
	}
}

func TestMemoryOfANetworkThatUsedNoneIsEmpty(t *testing.T) {
	s := mem.Stats{}
	s.Kinds[mem.Host].Limit = 1 << 20
	if got := monitor.Memory(s); got != "" {
		t.Errorf("got %q", got)
	}
}
