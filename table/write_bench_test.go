package table

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/seed14ed4225/sluice"
)

// BenchmarkWrite writes the sample.
func BenchmarkWrite(b *testing.B) {
	for _, name := range []string{"flights.parquet", "flights.csv"} {
		b.Run(name, func(b *testing.B) {
			path := filepath.Join(b.TempDir(), name)
			info, err := os.Stat(sample)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				net := sluice.NewNetwork("write")
				rows := net.Channel("rows")
				net.Node(Scan{Files: []string{sample}}.Node("scan", rows))
				net.Node(Write{Path: path, Overwrite: true}.Node("write", rows, nil))
				if err := net.Run(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(200_000*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
			made, err := os.Stat(path)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(made.Size())/float64(info.Size()), "of-the-sample's-size")
		})
	}
}
