package mem_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed14ed4225/sluice/mem"
)

func TestOptionsThatMakeNoSenseSayWhichAndWhatWouldDo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	errIs(t, os.WriteFile(file, nil, 0o600), nil)
	limit := func(kind mem.Kind, l mem.Limit) mem.Options {
		o := mem.Options{SpillDir: t.TempDir()}
		o.Limits[kind] = l
		return o
	}
	for name, c := range map[string]struct {
		opts   mem.Options
		option string
		kind   mem.Kind
		says   string
	}{
		"negative":          {limit(mem.Host, mem.Bytes(-1)), "limit for host memory", mem.Host, "negative"},
		"negative share":    {limit(mem.Device, mem.Share(-0.5)), "limit for device memory", mem.Device, "between 0 and 1"},
		"more than all":     {limit(mem.Pinned, mem.Share(1.5)), "limit for pinned memory", mem.Pinned, "between 0 and 1"},
		"no share":          {limit(mem.Disk, mem.Share(math.NaN())), "limit for disk", mem.Disk, "between 0 and 1"},
		"disk without dir":  {mem.Options{Limits: [mem.Kinds]mem.Limit{mem.Disk: mem.Bytes(1)}}, "limit for disk", mem.Disk, "spill directory"},
		"missing directory": {mem.Options{SpillDir: file + "/none"}, "spill directory", mem.Kinds, "none"},
		"no directory":      {mem.Options{SpillDir: file}, "spill directory", mem.Kinds, "file"},
		"compression":       {mem.Options{SpillDir: t.TempDir(), Compress: 77}, "compression", mem.Kinds, "off, lz4 or zstd"},
	} {
		r, err := mem.New(c.opts)
		if err == nil {
			_ = r.Close(context.Background())
			t.Errorf("%s: accepted", name)
			continue
		}
		e := errAs[*mem.OptionError](t, err)
		if e.Option != c.option || e.Kind != c.kind || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), c.option) {
			t.Errorf("%s: %v (%+v), want %q of %v and %q", name, err, e, c.option, c.kind, c.says)
		}
	}
}

func TestAllThatIsWrongIsSaidAtOnce(t *testing.T) {
	_, err := mem.New(mem.Options{Compress: 99, Limits: [mem.Kinds]mem.Limit{
		mem.Device: mem.Bytes(-1), mem.Host: mem.Share(2), mem.Disk: mem.Bytes(1),
	}})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"limit for device memory", "limit for host memory", "limit for disk", "compression"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}

func TestLimitsAreReadAsPeopleWriteThem(t *testing.T) {
	for text, want := range map[string]mem.Limit{
		"256MiB": mem.Bytes(256 << 20), " 1GiB ": mem.Bytes(1 << 30), "25%": mem.Share(0.25), "0.5 %": mem.Share(0.005),
		"100%": mem.Share(1), "unlimited": mem.Unlimited, "0": mem.Bytes(0),
	} {
		got, err := mem.ParseLimit(text)
		if err != nil || got != want {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
		if again, err := mem.ParseLimit(got.String()); err != nil || again != got {
			t.Errorf("%q is written %q, which is read as %v, %v", text, got, again, err)
		}
	}
	for _, text := range []string{"", "-1", "many", "0%", "101%", "-5%", "NaN%", "%", "12 parsecs", "unlimited%"} {
		if l, err := mem.ParseLimit(text); err == nil {
			t.Errorf("%q is read as %v", text, l)
		}
	}
	for text, hint := range map[string]bool{"many": true, "64MuB": false} { // of another way to say it
		if _, err := mem.ParseLimit(text); strings.HasSuffix(err.Error(), "or unlimited") != hint {
			t.Errorf("%q: %v", text, err)
		}
	}
	for l, want := range map[mem.Limit]int64{{}: -1, mem.Share(0.5): -1, mem.Bytes(7): 7, mem.Unlimited: math.MaxInt64} {
		if n, ok := l.Bytes(); ok != (want >= 0) || ok && n != want {
			t.Errorf("%v is %d bytes, %t", l, n, ok)
		}
	}
	if (mem.Limit{}).String() != "default" || !(mem.Limit{}).IsZero() || mem.Bytes(0).IsZero() {
		t.Error("the zero limit is the default")
	}
}

func TestTheZeroOptionsWork(t *testing.T) {
	r, err := mem.New(mem.Options{})
	errIs(t, err, nil)
	if r.Limit(mem.Host) <= 0 || r.Limit(mem.Pinned) <= 0 || r.Limit(mem.Device) <= 0 || r.Limit(mem.Disk) != 0 {
		t.Errorf("%+v", r.Stats())
	}
	res, err := r.Reserve(t.Context(), mem.Host, 1<<20)
	errIs(t, err, nil)
	res.Release()
	errIs(t, r.Close(t.Context()), nil)
}

func TestAScopeCountsApart(t *testing.T) {
	r := newResource(t, hostOf(8))
	a, b := r.Scope("a"), r.Scope("b")
	of := reserve(t, a, mem.Host, 2*k)
	other := reserve(t, b, mem.Host, k)
	if got := a.Stats().Kinds[mem.Host]; got.Reserved != 2*k || got.Limit != r.Limit(mem.Host) {
		t.Errorf("a has %+v", got)
	}
	if got := r.Stats().Kinds[mem.Host]; got.Reserved != 3*k {
		t.Errorf("all have %+v", got)
	}
	leak := errAs[*mem.LeakError](t, a.Close(t.Context()))
	if leak.Resource != "a" || len(leak.Leaks) != 1 || leak.Leaks[0].Reserved != mem.Of(mem.Host, 2*k) {
		t.Errorf("%v", leak)
	}
	of.Release()
	errIs(t, a.Close(t.Context()), nil)
	other.Release() // the rest goes on
	errIs(t, b.Close(t.Context()), nil)
	_, err := b.Reserve(t.Context(), mem.Host, k)
	errIs(t, err, mem.ErrClosed)
	res, err := r.Reserve(t.Context(), mem.Host, k)
	errIs(t, err, nil)
	res.Release()
}
