package table

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
)

func TestRowGroupsAreCutIntoEvenChunks(t *testing.T) {
	path := equalGroups(t, 2) // of 1024 rows
	want, _, err := scan(t, Scan{Files: []string{path}})
	if err != nil {
		t.Fatal(err)
	}
	for rows, chunks := range map[int]string{
		0: "[1024 1024]", 5000: "[1024 1024]", 1024: "[1024 1024]", 1023: "[512 512 512 512]",
		500: "[341 341 342 341 341 342]",
	} {
		got, cut, err := scan(t, Scan{Files: []string{path}, Rows: rows})
		if err != nil || fmt.Sprint(cut) != chunks || !slices.Equal(asText(got), asText(want)) {
			t.Errorf("at most %d rows: chunks of %v, %v", rows, cut, err)
		}
	}
}

func TestNegativeSettingsOfAScanAreRefused(t *testing.T) {
	for name, s := range map[string]Scan{
		"Rows is -1": {Rows: -1}, "Tickets is -2": {Tickets: -2}, "Readers is -3": {Readers: -3},
	} {
		s.Files = []string{sample}
		if _, err := s.Schema(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("schema: %v, want %q", err, name)
		}
		if _, _, err := scan(t, s); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("run: %v, want %q", err, name)
		}
	}
}

// limited runs a scan in so much memory, passes the chunks to take, and returns the most
// that was in use.
func limited(t *testing.T, s Scan, limit int64, take func(*Chunk)) (peak int64, err error) {
	t.Helper()
	resource, err := mem.New(mem.Options{Limits: [mem.Kinds]mem.Limit{mem.Host: mem.Bytes(limit)}})
	if err != nil {
		t.Fatal(err)
	}
	net := sluice.NewNetwork("test", sluice.WithMemory(resource))
	out := net.Channel("rows")
	net.Node(s.Node("scan", out))
	net.Node("sink", func(ctx context.Context) error {
		for m, err := range out.All(ctx) {
			if err != nil {
				return err
			}
			chunk, err := sluice.Peek[*Chunk](&m)
			if err != nil {
				return err
			}
			take(chunk)
			m.Release()
		}
		return nil
	}, sluice.Reads(out))
	err = net.Run(context.Background())
	stats := resource.Stats().Kinds[mem.Host]
	if stats.Used != 0 || stats.Reserved != 0 {
		t.Errorf("at the end %d bytes are used, %d reserved", stats.Used, stats.Reserved)
	}
	if closing := resource.Close(context.Background()); closing != nil {
		t.Error(closing)
	}
	return stats.Peak, err
}

func TestAScanStaysWithinTheMemoryItReserves(t *testing.T) {
	s := Scan{Files: []string{sample}, Rows: 5000, Tickets: 8, Readers: 4}
	const limit = 2 << 20 // a chunk takes about 160 KB, what it takes to read one up to 500 KB
	rows := 0
	peak, err := limited(t, s, limit, func(c *Chunk) { rows += c.Rows() })
	if err != nil || rows != 200_000 {
		t.Errorf("%d rows, %v", rows, err)
	}
	if peak == 0 || peak > limit {
		t.Errorf("%d bytes were taken of %d", peak, limit)
	}
}

// What is unpacked ahead of its turn is given up for what has its turn.
func TestAScanThatUnpacksAheadGetsByInLittleMemory(t *testing.T) {
	path := equalGroups(t, 20)
	s := Scan{Files: []string{path}, Rows: 200, Readers: 4}
	want, _, err := scan(t, s)
	if err != nil {
		t.Fatal(err)
	}
	for _, limit := range []int64{32 << 10, 64 << 10, 256 << 10, 4 << 20} {
		resource := makeResource(t.TempDir(), limit)
		got, err := scanIn(t, resource, s)
		if err != nil || !slices.Equal(asText(got), asText(want)) {
			t.Errorf("in %d bytes: %d rows, %v", limit, len(got), err)
		}
		if stats := resource.Stats().Kinds[mem.Host]; stats.Used != 0 || stats.Reserved != 0 || stats.Peak > limit {
			t.Errorf("in %d bytes: %d used and %d reserved at the end, at most %d", limit, stats.Used, stats.Reserved, stats.Peak)
		}
		if err := resource.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

func TestAScanThatCannotFitSaysSo(t *testing.T) {
	_, err := limited(t, Scan{Files: []string{sample}}, 100<<10, func(*Chunk) { t.Error("a chunk came") })
	if !errors.Is(err, mem.ErrNoMemory) {
		t.Fatalf("%v", err)
	}
	for _, want := range []string{sample, "25000 rows at a time"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}
