package table

import (
	"context"
	"testing"

	"github.com/seed14ed4225/sluice"
)

// BenchmarkScanAllColumns reads all columns, in chunks of the default size and in whole
// row groups.
func BenchmarkScanAllColumns(b *testing.B) {
	for name, rows := range map[string]int{"chunks": 0, "row groups": 1 << 30} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				rowsRead(b, Scan{Files: []string{flights()}, Rows: rows})
			}
		})
	}
}

// BenchmarkScanTwoColumns does the same with two.
func BenchmarkScanTwoColumns(b *testing.B) {
	for name, rows := range map[string]int{"chunks": 0, "row groups": 1 << 30} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				rowsRead(b, Scan{Files: []string{flights()}, Columns: []string{"origin", "delay"}, Rows: rows})
			}
		})
	}
}

func rowsRead(b *testing.B, s Scan) (rows int) {
	net := sluice.NewNetwork("bench")
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
			rows += chunk.Rows()
			m.Release()
		}
		return nil
	}, sluice.Reads(out))
	if err := net.Run(context.Background()); err != nil {
		b.Fatal(err)
	}
	return rows
}
