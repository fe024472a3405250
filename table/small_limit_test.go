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
)

// TestALimitThatIsTooSmallSaysWhichWouldDo has rows so wide that few of them fit, and follows what the
// errors say, with the head room that jobs are told to leave: what would do for one step is known, what the
// steps after it need is not.
func TestALimitThatIsTooSmallSaysWhichWouldDo(t *testing.T) {
	const rows, width, tooSmall = 12, 50_000, 64 << 10
	schema := arrow.NewSchema([]arrow.Field{field("k", int64Type), field("text", stringType)}, nil)
	// Without counting them: only what the node takes itself is to be limited.
	source := func(out *sluice.Channel) func(context.Context) error {
		return func(ctx context.Context) error {
			for i := range rows {
				text := fmt.Sprint(i%7, strings.Repeat("x", width))
				if err := send(ctx, out, sluice.SeqNum(i), NewChunk(batchOf(schema, []any{i, text}))); err != nil {
					return err
				}
			}
			return nil
		}
	}
	one := func(node transform) func(*sluice.Network, *sluice.Channel) {
		return func(net *sluice.Network, out *sluice.Channel) {
			in := net.Channel("in")
			net.Node("source", source(in), sluice.Writes(in))
			net.Node(node(in, out))
		}
	}
	for name, tt := range map[string]struct {
		add  func(*sluice.Network, *sluice.Channel)
		want int
	}{
		"aggregate": {one(aggregateNode(Aggregate{By: []string{"text"}, Measures: []Measure{{Func: Max, Column: "text"}}})), 7},
		"distinct":  {one(distinctNode(Distinct{By: []string{"text"}})), 7},
		"sort":      {one(sortNode(Sort{By: []SortKey{{Column: "text"}}})), rows},
		"top":       {one(sortNode(Sort{By: []SortKey{{Column: "text"}}, Limit: 5})), 5},
		"join": {func(net *sluice.Network, out *sluice.Channel) {
			left, right := net.Channel("left"), net.Channel("right")
			net.Node("left", source(left), sluice.Writes(left))
			net.Node("right", source(right), sluice.Writes(right))
			net.Node(Join{On: []JoinKey{{"k", "k"}}}.Node("join", left, right, out))
		}, rows},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each waits for a second in which nothing moves
			limit := int64(tooSmall)
			for round := 0; ; round++ {
				r := newResource(t, limit)
				net := sluice.NewNetwork("test", sluice.WithMemory(r))
				out := net.Channel("out")
				tt.add(net, out)
				got := 0
				net.Node("sink", func(ctx context.Context) error {
					return eachChunk(ctx, out, func(_ *sluice.Message, c *Chunk) error { got += c.Rows(); return nil })
				}, reads(out))
				err := net.Run(t.Context())
				var short *mem.NoMemoryError
				switch {
				case err == nil && got != tt.want:
					t.Fatalf("%d rows in %d bytes, want %d", got, limit, tt.want)
				case err == nil && round == 0:
					t.Fatalf("it runs in %d bytes", limit)
				case err == nil:
					t.Logf("runs in %d bytes, after %d errors", limit, round)
					return
				case !errors.As(err, &short):
					t.Fatal(err)
				case short.Smallest <= limit || round == 3 || short.Smallest > 16*width:
					t.Fatalf("in %d bytes, for the %d. time: %v (the smallest that would do is %d)", limit, round+1, err, short.Smallest)
				}
				limit = 2 * short.Smallest
			}
		})
	}
}

// TestAnAggregateThatCouldOnlyThrashFailsAtOnce has limits in which it could go on, a few groups at a time
// and each time to disk and back.
func TestAnAggregateThatCouldOnlyThrashFailsAtOnce(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("k", int64Type), field("text", stringType)}, nil)
	for _, tt := range []struct {
		node     func(in, out *sluice.Channel) (string, func(context.Context) error, sluice.Port, sluice.Port)
		tooSmall int64
	}{
		{aggregateNode(Aggregate{By: []string{"text"}, Measures: []Measure{{Func: Count}, {Func: Max, Column: "text"}}}), 64 << 10},
		{aggregateNode(Aggregate{By: []string{"k"}, Measures: []Measure{{Func: CountDistinct, Column: "text"}}}), 64 << 10},
		{distinctNode(Distinct{By: []string{"text"}}), 32 << 10},
	} {
		limit, received := tt.tooSmall, 0
		run := func() (rows int, err error) {
			received = 0
			net := sluice.NewNetwork("test", sluice.WithMemory(newResource(t, limit)))
			in, out := net.Channel("in"), net.Channel("out")
			net.Node("source", func(ctx context.Context) error {
				for i := range 2000 {
					if err := send(ctx, in, sluice.SeqNum(i), NewChunk(batchOf(schema, []any{i, fmt.Sprint("text ", i)}))); err != nil {
						return err
					}
					received++
				}
				return nil
			}, sluice.Writes(in))
			net.Node(tt.node(in, out))
			net.Node("sink", func(ctx context.Context) error {
				return eachChunk(ctx, out, func(_ *sluice.Message, c *Chunk) error { rows += c.Rows(); return nil })
			}, reads(out))
			err = net.Run(t.Context())
			return rows, err
		}
		_, err := run()
		var short *mem.NoMemoryError
		if !errors.As(err, &short) || short.Smallest <= limit || received > 3 {
			t.Fatalf("in %d bytes, after %d rows: %v", limit, received, err)
		}
		limit = short.Smallest
		if rows, err := run(); err != nil || rows != 2000 {
			t.Errorf("in %d bytes, as the error said: %d rows, %v", limit, rows, err)
		}
	}
}
