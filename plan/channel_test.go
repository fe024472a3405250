package plan_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/plan"
	"github.com/seed14ed4225/sluice/table"
)

// A sender sends payloads; a holder takes none of them until it is told to.
type sender struct{ payloads []func() any }

func (s *sender) Schema([]*arrow.Schema) ([]*arrow.Schema, error) { return []*arrow.Schema{{}}, nil }

func (s *sender) Add(to *sluice.Network, at plan.Place) error {
	to.Node(at.Name, func(ctx context.Context) error {
		for i, payload := range s.payloads {
			m := sluice.NewMessage(sluice.SeqNum(i), payload())
			defer m.Release()
			if err := at.Out[0].Send(ctx, &m); err != nil {
				return err
			}
		}
		return nil
	}, sluice.Writes(at.Out...))
	return nil
}

type holder struct{ until chan struct{} }

func (h *holder) Schema([]*arrow.Schema) ([]*arrow.Schema, error) { return nil, nil }

func (h *holder) Add(to *sluice.Network, at plan.Place) error {
	to.Node(at.Name, func(ctx context.Context) error {
		select {
		case <-h.until:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}, sluice.Reads(at.In...))
	return nil
}

// heldNetwork is a sender and a holder with a channel of the given settings.
func heldNetwork(t *testing.T, settings string, until chan struct{}, payloads ...func() any) *sluice.Network {
	t.Helper()
	kinds := plan.Kinds{
		{Name: "send", Writes: plan.One, Settings: func() plan.Step { return &sender{payloads} }},
		{Name: "hold", Reads: plan.One, Settings: func() plan.Step { return &holder{until} }},
	}
	job, err := kinds.Parse("job.yaml", []byte("nodes:\n  one: {kind: send, out: a}\n  two: {kind: hold, in: a}\n"+
		"channels: {a: {"+settings+"}}\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	network, err := job.Network(plan.Env{})
	if err != nil {
		t.Fatal(err)
	}
	return network
}

// numbers makes a chunk of 100 numbers, 800 bytes.
func numbers(from memory.Allocator) any {
	b := array.NewInt64Builder(from)
	defer b.Release()
	b.AppendValues(make([]int64, 100), nil)
	column := b.NewArray()
	defer column.Release()
	schema := arrow.NewSchema([]arrow.Field{{Name: "n", Type: column.DataType()}}, nil)
	return table.NewChunk(array.NewRecordBatch(schema, []arrow.Array{column}, 100))
}

func TestAChannelHoldsWhatTheJobAllows(t *testing.T) {
	tests := []struct {
		settings string
		want     int // messages waiting in the channel, of five
	}{
		{"", 1},
		{"slots: 3", 3},
		{"slots: 8", 5},
		{"slots: 8, bytes: 1B", 1},
		{"slots: 8, bytes: 64KiB", 5},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			until := make(chan struct{})
			checked := memory.NewCheckedAllocator(memory.DefaultAllocator)
			defer checked.AssertSize(t, 0)
			chunk := func() any { return numbers(checked) }
			network := heldNetwork(t, tt.settings, until, chunk, chunk, chunk, chunk, chunk)
			ended := make(chan error)
			go func() { ended <- network.Run(t.Context()) }()
			synctest.Wait()
			if got := network.Snapshot().Channels[0].Len; got != tt.want {
				t.Errorf("with {%s} %d messages wait, want %d", tt.settings, got, tt.want)
			}
			close(until)
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAChannelOfAJobTakesChunksOnly(t *testing.T) {
	network := heldNetwork(t, "", make(chan struct{}), func() any { return "not a chunk" })
	var wrong *sluice.TypeError
	if err := network.Run(t.Context()); !errors.As(err, &wrong) {
		t.Errorf("got %v", err)
	}
}
