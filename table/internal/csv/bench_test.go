package csv

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"
)

// BenchmarkRead makes columns of a block of a mebibyte, and compares with what the standard
// library takes only to find the fields.
func BenchmarkRead(b *testing.B) {
	var lines strings.Builder
	for i := 0; lines.Len() < 1<<20; i++ {
		fmt.Fprintf(&lines, "%d,2001-03-%02d,carrier %d,%d.%d,true,\"a, b\"\n", i, i%31+1, i%97, i*7%1000, i%10)
	}
	x := text{text: lines.String(), dialect: Dialect{Delimiter: ',', NoHeader: true}}
	head, schema, err := x.head()
	if err != nil {
		b.Fatal(err)
	}
	places := make([]int, len(head.Names))
	for i := range places {
		places[i] = i
	}
	reader, err := NewReader(x.dialect, schema, len(places), places, strict{})
	if err != nil {
		b.Fatal(err)
	}
	peer := peerTime(b, x.text)
	block, rows := []byte(x.text), strings.Count(x.text, "\n")
	b.SetBytes(int64(len(block)))
	for b.Loop() {
		batch, err := reader.Read(context.Background(), block, 1, rows, memory.DefaultAllocator, memory.DefaultAllocator)
		if err != nil {
			b.Fatal(err)
		}
		batch.Release()
	}
	b.ReportMetric(float64(peer)/(float64(b.Elapsed())/float64(b.N)), "encoding/csv-time")
}

// peerTime is the best of a few times that the standard library takes.
func peerTime(b *testing.B, text string) time.Duration {
	b.Helper()
	best := time.Hour
	for range 10 {
		begin := time.Now()
		peer := csv.NewReader(strings.NewReader(text))
		peer.ReuseRecord = true
		for {
			if _, err := peer.Read(); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
		best = min(best, time.Since(begin))
	}
	return best
}
