package groups

import (
	"encoding/binary"
	"testing"
	"time"
)

const (
	benchmarkKeys = 1 << 20
	benchmarkStep = 2048 // rows that are asked for at once
)

// BenchmarkTable numbers a million keys of two words, each twice, and reports the time as a share of a Go map of
// the same keys.
func BenchmarkTable(b *testing.B) {
	words := make([]uint64, 0, 4*benchmarkKeys)
	for i := range uint64(2 * benchmarkKeys) {
		key := i * 7919 % benchmarkKeys
		words = append(words, key/4, key%200_003)
	}
	into := make([]uint32, benchmarkStep)
	compare(b, func() int {
		table := NewTable(2)
		table.Resize(benchmarkKeys, 2)
		for from := 0; from < len(words); from += 2 * benchmarkStep {
			table.Numbers(words[from:from+2*benchmarkStep], into)
		}
		return table.Len()
	}, func() int {
		numbers := make(map[[2]uint64]uint32, benchmarkKeys)
		for at := 0; at < len(words); at += 2 {
			key := [2]uint64(words[at:])
			if _, ok := numbers[key]; !ok {
				numbers[key] = uint32(len(numbers))
			}
		}
		return len(numbers)
	})
}

// BenchmarkStrings does so with strings of 16 bytes.
func BenchmarkStrings(b *testing.B) {
	c := &Column{Offsets: []int32{0}}
	for i := range uint64(2 * benchmarkKeys) {
		key := i * 7919 % benchmarkKeys
		c.Values = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(c.Values, key), key)
		c.Offsets = append(c.Offsets, int32(len(c.Values)))
	}
	into := make([]uint32, benchmarkStep)
	compare(b, func() int {
		table := NewStrings(0)
		table.Resize(benchmarkKeys, 16*benchmarkKeys)
		for from := 0; from < 2*benchmarkKeys; from += benchmarkStep {
			table.Numbers(&Column{Values: c.Values, Offsets: c.Offsets[from:]}, into)
		}
		return table.Len()
	}, func() int {
		numbers := make(map[string]uint32, benchmarkKeys)
		for row := range 2 * benchmarkKeys {
			text := c.at(row)
			if _, ok := numbers[string(text)]; !ok {
				numbers[string(text)] = uint32(len(numbers))
			}
		}
		return len(numbers)
	})
}

func compare(b *testing.B, ours, theirs func() int) {
	var took, took2 time.Duration
	for b.Loop() {
		start := time.Now()
		if n := ours(); n != benchmarkKeys {
			b.Fatalf("%d keys", n)
		}
		took += time.Since(start)
		b.StopTimer()
		start = time.Now()
		if n := theirs(); n != benchmarkKeys {
			b.Fatalf("%d keys in the map", n)
		}
		took2 += time.Since(start)
		b.StartTimer()
	}
	b.ReportMetric(float64(took)/float64(took2), "of-a-map")
}
