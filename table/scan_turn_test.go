package table

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
)

// What a scan has read ahead waits in no channel yet, and goes to disk all the same for a node behind it that
// needs nearly all there is.
func TestWhatAScanHasReadAheadMakesRoomForTheNodesBehindIt(t *testing.T) {
	const chunk, tickets = 1024 * 8, 6
	path := equalGroups(t, 10)
	synctest.Test(t, func(t *testing.T) {
		const limit = 64 * chunk
		r := newResource(t, limit)
		net := sluice.NewNetwork("test", sluice.WithMemory(r))
		rows := net.Channel("rows")
		net.Node(Scan{Files: []string{path}, Tickets: tickets, Readers: tickets}.Node("scan", rows))
		seen := 0
		net.Node("sink", func(ctx context.Context) error {
			synctest.Wait() // the scan has come as far as it can
			if used := r.Stats().Kinds[mem.Host].Used; used < tickets*chunk {
				t.Errorf("%d bytes are used, which is less than %d chunks", used, tickets)
			}
			res, err := mem.FromContext(ctx).Reserve(ctx, mem.Host, limit-2*chunk)
			if err != nil {
				return err
			}
			res.Release()
			return eachChunk(ctx, rows, func(_ *sluice.Message, c *Chunk) error { seen += c.Rows(); return nil })
		}, reads(rows))
		if err := net.Run(t.Context()); err != nil || seen != 10*1024 {
			t.Errorf("%d rows, %v", seen, err)
		}
	})
}
