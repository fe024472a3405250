package extent_test

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed14ed4225/sluice/internal/extent"
)

// The model of a store is the bytes of its extents. Writes and reads fail now and then.
func TestAStoreIsAMapOfExtents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type kept struct {
			e    *extent.Extent
			data []byte
		}
		var faults extent.Faults
		var live []kept
		var bytesLive, stored, peak int64
		file := new(memFile)
		s, err := extent.Open(extent.Options{
			Compress: rapid.SampledFrom(everyCompression).Draw(t, "compress"),
			Writes:   2, // little staging memory: there are many stores
			Open:     faults.Wrapped(file),
		})
		if err != nil {
			t.Fatal(err)
		}
		made := uint64(0)
		drop := func(i int) {
			bytesLive -= live[i].e.Size()
			stored -= live[i].e.Stored()
			live[i] = live[len(live)-1]
			live = live[:len(live)-1]
		}
		pick := func(t *rapid.T) int {
			if len(live) == 0 {
				t.Skip("nothing is there")
			}
			return rapid.IntRange(0, len(live)-1).Draw(t, "which")
		}
		strike := func(t *rapid.T, op extent.Op) bool {
			fails := rapid.IntRange(0, 4).Draw(t, "fails") == 0
			if fails {
				faults.Short(op, 1)
			}
			return fails
		}
		t.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				size := rapid.SampledFrom([]int{1, 5000, 9000, 30_000, 100_000, extent.BlockSize + 5000}).Draw(t, "size")
				made++
				data := filled(size, made)
				clear(data[size/2:])
				fails := strike(t, extent.OpWrite)
				e, err := s.Write(t.Context(), "model", data)
				peak = max(peak, stored+extent.Bound(int64(size)))
				if fails != (err != nil) {
					t.Fatalf("Write returned %v, want it to fail: %v", err, fails)
				} else if err == nil {
					live = append(live, kept{e, data})
					bytesLive += e.Size()
					stored += e.Stored()
				}
			},
			"read": func(t *rapid.T) {
				i := pick(t)
				fails := strike(t, extent.OpRead)
				got := make([]byte, len(live[i].data))
				err := live[i].e.Read(t.Context(), got)
				if fails != (err != nil) {
					t.Fatalf("Read returned %v, want it to fail: %v", err, fails)
				} else if err == nil {
					if !bytes.Equal(got, live[i].data) {
						t.Fatalf("%d bytes came back different", len(got))
					}
					drop(i)
				}
			},
			"free": func(t *rapid.T) {
				i := pick(t)
				live[i].e.Free()
				drop(i)
			},
			"": func(t *rapid.T) {
				var taken []extent.Place
				for _, k := range live {
					taken = append(taken, k.e.Places()...)
				}
				if err := s.CheckSpace(taken); err != nil {
					t.Fatal(err)
				}
				if got := s.Stats(); got.Extents != len(live) || got.Bytes != bytesLive || got.Stored != stored || got.File > 3*peak {
					t.Fatalf("stats are %+v; want %d extents of %d bytes, stored in %d, with a peak of %d", got, len(live), bytesLive, stored, peak)
				}
			},
		})
		for len(live) > 0 {
			live[0].e.Free()
			drop(0)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if made > 0 && !file.mu.closed {
			t.Fatal("the file was not closed")
		}
	})
}
