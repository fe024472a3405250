package table

import (
	"context"
	"encoding/csv"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/seed14ed4225/sluice"
)

// BenchmarkScanCSV reads the sample, written as CSV, with one reader, and compares with what
// encoding/csv takes only to find the fields.
func BenchmarkScanCSV(b *testing.B) {
	path := filepath.Join(b.TempDir(), "flights.csv")
	net := sluice.NewNetwork("write")
	rows := net.Channel("rows")
	net.Node(Scan{Files: []string{sample}}.Node("scan", rows))
	net.Node(Write{Path: path}.Node("write", rows, nil))
	if err := net.Run(b.Context()); err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	begin := time.Now()
	file, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	peer := csv.NewReader(file)
	peer.ReuseRecord = true
	for {
		if _, err := peer.Read(); err == io.EOF {
			break
		} else if err != nil {
			b.Fatal(err)
		}
	}
	std := time.Since(begin)
	b.SetBytes(info.Size())
	for b.Loop() {
		net := sluice.NewNetwork("read")
		rows := net.Channel("rows")
		net.Node(Scan{Files: []string{path}, Readers: 1, Tickets: 2}.Node("scan", rows))
		net.Node("sink", func(ctx context.Context) error {
			for m, err := range rows.All(ctx) {
				if err != nil {
					return err
				}
				m.Release()
			}
			return nil
		}, sluice.Reads(rows))
		if err := net.Run(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(std)/(float64(b.Elapsed())/float64(b.N)), "encoding/csv-time")
}
