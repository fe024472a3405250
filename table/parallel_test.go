package table

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/ops"
)

// Chunks that several workers may have at a time in the memory there is go through a filter and a project:
// rows stay in order, and no memory is taken that was not reserved.
func TestWorkersKeepOrderInLittleMemory(t *testing.T) {
	const chunks, rows = 60, 20_000 // 320 kB each
	r := newResource(t, 4*workerMemory)
	net := sluice.NewNetwork("test", sluice.WithMemory(r))
	in, some, out := net.Channel("in"), net.Channel("some"), net.Channel("out")
	schema := arrow.NewSchema([]arrow.Field{field("n", int64Type), field("half", float64Type)}, nil)
	net.Node("source", func(ctx context.Context) error {
		values := make([][]any, rows)
		for c := range chunks {
			for i := range values {
				values[i] = []any{c*rows + i, 0.5}
			}
			batch := batchOf(schema, values...)
			res, err := mem.FromContext(ctx).Reserve(ctx, mem.Host, batchCopyBytes(batch))
			if err != nil {
				return err
			}
			own := newAllocator(ctx, res)
			chunk := own.Chunk(copyBatch(own, batch))
			batch.Release()
			res.Release()
			if err := send(ctx, in, sluice.SeqNum(c), chunk); err != nil {
				return err
			}
		}
		return nil
	}, sluice.Writes(in))
	net.Node(Filter{Where: "n % 3 <> 0", Workers: 4}.Node("filter", in, some))
	net.Node(Project{Columns: []string{"n"}, Compute: []Computed{{As: "x", Expr: "n * half"}}, Workers: 3}.Node("project", some, out))
	next := int64(1)
	net.Node("sink", func(ctx context.Context) error {
		return eachChunk(ctx, out, func(m *sluice.Message, chunk *Chunk) error {
			for i, n := range fixed[int64](chunk.Batch().Column(0)) {
				if x := fixed[float64](chunk.Batch().Column(1))[i]; n != next || x != float64(n)/2 {
					return fmt.Errorf("%d, %v come where %d was to", n, x, next)
				}
				if next++; next%3 == 0 {
					next++
				}
			}
			return nil
		})
	}, reads(out))
	if err := net.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if next < chunks*rows-2 {
		t.Errorf("rows up to %d have come", next)
	}
	if host := r.Stats().Kinds[mem.Host]; host.Overbooked != 0 || host.Peak > host.Limit {
		t.Errorf("%d bytes were taken of %d", host.Peak, host.Limit)
	}
}

// A small chunk behind a large one is done first, and waits for it.
func TestSmallChunksDoNotOvertakeLargeOnes(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("n", int64Type)}, nil)
	long := make([][]any, 50_000)
	for i := range long {
		long[i] = []any{i}
	}
	var batches []arrow.RecordBatch
	for range 5 {
		batches = append(batches, batchOf(schema, long...), batchOf(schema, []any{1}), batchOf(schema, []any{2}), batchOf(schema, []any{3}))
	}
	net := sluice.NewNetwork("test")
	in, out := net.Channel("in"), net.Channel("out")
	net.Node("source", source(in, batches...), sluice.Writes(in))
	net.Node(Project{Compute: []Computed{{As: "x", Expr: "upper(cast(n as text))"}}, Workers: 4}.Node("project", in, out))
	next := sluice.SeqNum(0)
	net.Node("sink", func(ctx context.Context) error {
		return eachChunk(ctx, out, func(m *sluice.Message, _ *Chunk) error {
			if m.Seq() != next {
				return fmt.Errorf("chunk %d comes where %d was to", m.Seq(), next)
			}
			next++
			return nil
		})
	}, reads(out))
	if err := net.Run(t.Context()); err != nil || int(next) != len(batches) {
		t.Errorf("%d chunks, %v", next, err)
	}
}

// Goroutines that share a batch only look at it. This is for the race detector.
func TestBranchesOfAFanOutShareDictionaries(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("origin", codedType), field("n", int64Type)}, nil)
	net := sluice.NewNetwork("test")
	in := net.Channel("in")
	var branches []*sluice.Channel
	for i := range 3 {
		branch, out := net.Channel(fmt.Sprint("branch", i)), net.Channel(fmt.Sprint("out", i))
		branches = append(branches, branch)
		net.Node(Filter{Where: "origin in ('ORD', 'SFO') and n > 0", Workers: 2}.Node(fmt.Sprint("filter", i), branch, out))
		net.Node(fmt.Sprint("sink", i), func(ctx context.Context) error {
			return eachChunk(ctx, out, func(*sluice.Message, *Chunk) error { return nil })
		}, reads(out))
	}
	whole := batchOf(schema, []any{"ORD", 1}, []any{nil, 2}, []any{"DFW", 3}, []any{"SFO", nil}, []any{"SFO", 4})
	var batches []arrow.RecordBatch
	for range 20 {
		batches = append(batches, whole.NewSlice(1, 5)) // with a number of nulls that is not known
	}
	net.Node("source", source(in, batches...), sluice.Writes(in))
	net.Node(ops.Broadcast("all", in, branches))
	if err := net.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A job that is cancelled while workers wait for their turn ends.
func TestWorkersEndWhenTheRunDoes(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("n", int64Type)}, nil)
	var batches []arrow.RecordBatch
	for i := range 10 {
		batches = append(batches, batchOf(schema, []any{i}, []any{-1}))
	}
	stop := errors.New("enough")
	net := sluice.NewNetwork("test")
	in, out := net.Channel("in"), net.Channel("out")
	net.Node("source", source(in, batches...), sluice.Writes(in))
	net.Node(Filter{Where: "n >= 0", Workers: 4}.Node("filter", in, out))
	net.Node("sink", func(ctx context.Context) error {
		m, err := out.Recv(ctx)
		m.Release()
		return errors.Join(err, stop)
	}, reads(out))
	if err := net.Run(t.Context()); !errors.Is(err, stop) {
		t.Errorf("%v", err)
	}
}

func TestANegativeNumberOfWorkersIsRefused(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("n", int64Type)}, nil)
	_, _, err := through(t, filterNode(Filter{Where: "n > 0", Workers: -1}), batchOf(schema, []any{1}))
	if err == nil || !strings.Contains(err.Error(), "-1 workers") {
		t.Errorf("%v", err)
	}
}
