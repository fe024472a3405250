package table

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
)

// everyNode is the nodes that make chunks, and enough settings for the columns of madeUp.
func everyNode() map[string]transform {
	return map[string]transform{
		"filter": func(in, out *sluice.Channel) (string, func(context.Context) error, sluice.Port, sluice.Port) {
			return Filter{Where: "key < 800"}.Node("node", in, out)
		},
		"aggregate": aggregateNode(Aggregate{
			By:       []string{"came", "coded"},
			Measures: []Measure{{Func: Mean, Column: "key"}, {Func: Max, Column: "name"}, {Func: CountDistinct, Column: "share"}},
		}),
		"distinct":     distinctNode(Distinct{By: []string{"came"}}),
		"sort":         sortNode(Sort{By: []SortKey{{Column: "name"}, {Column: "key"}}}),
		"limited sort": sortNode(Sort{By: []SortKey{{Column: "key"}}, Limit: 2000}),
	}
}

// rehearse runs made-up rows through a node in a network with a resource.
func rehearse(ctx context.Context, r *mem.Resource, node transform, chunks int, sink func(context.Context, *sluice.Channel) error) error {
	net := sluice.NewNetwork("test", sluice.WithMemory(r))
	in, out := net.Channel("in"), net.Channel("out")
	madeUp(chunks, 300)(net, in)
	net.Node(node(in, out))
	net.Node("sink", func(ctx context.Context) error { return sink(ctx, out) }, reads(out))
	return net.Run(ctx)
}

func takeAll(ctx context.Context, out *sluice.Channel) error {
	return eachChunk(ctx, out, func(*sluice.Message, *Chunk) error { return nil })
}

// The resource of each run must have got back everything, and its directory be empty: see
// newResource. What a node alone leaves behind is an error of Run.
func TestWhicheverWayANodeEndsItsMemoryComesBack(t *testing.T) {
	for name, node := range everyNode() {
		const host = 1 << 20
		t.Run(name, func(t *testing.T) {
			t.Run("at the end of input", func(t *testing.T) {
				r := newResource(t, host)
				if err := rehearse(t.Context(), r, node, 60, takeAll); err != nil {
					t.Fatal(err)
				}
				assertWithin(t, r, name == "sort" || name == "aggregate" || name == "distinct")
			})
			t.Run("nobody wants more", func(t *testing.T) {
				r := newResource(t, host)
				err := rehearse(t.Context(), r, node, 40, func(ctx context.Context, out *sluice.Channel) error {
					m, err := out.Recv(ctx)
					m.Release()
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
			t.Run("failure behind it", func(t *testing.T) {
				broken := errors.New("broken")
				r := newResource(t, host)
				err := rehearse(t.Context(), r, node, 40, func(ctx context.Context, out *sluice.Channel) error {
					m, _ := out.Recv(ctx)
					m.Release()
					return broken
				})
				if !errors.Is(err, broken) {
					t.Error(err)
				}
			})
			for _, n := range []int{1, 7, 20, 39} {
				t.Run("cancelled midway", func(t *testing.T) {
					stopped := errors.New("stopped")
					ctx, cancel := context.WithCancelCause(t.Context())
					defer cancel(nil)
					var seen atomic.Int64
					counting := func(in, out *sluice.Channel) (string, func(context.Context) error, sluice.Port, sluice.Port) {
						name, run, reads, writes := node(in, out)
						return name, func(ctx context.Context) error {
							return run(lookingContext{ctx, func() {
								if seen.Add(1) == int64(n) {
									cancel(stopped)
								}
							}})
						}, reads, writes
					}
					r := newResource(t, host)
					if err := rehearse(ctx, r, counting, 40, takeAll); !errors.Is(err, stopped) && err != nil {
						t.Error(err)
					}
				})
			}
		})
	}
}

// A lookingContext tells when a node looks whether its context has ended, or for what it carries.
type lookingContext struct {
	context.Context
	looked func()
}

func (c lookingContext) Value(key any) any {
	c.looked()
	return c.Context.Value(key)
}

func (c lookingContext) Err() error {
	c.looked()
	return c.Context.Err()
}

func TestASortWhoseDiskFailsSaysSoAndLeavesNothing(t *testing.T) {
	saysThatItsDiskFails(t, "sort", 512<<10)
}

// saysThatItsDiskFails runs a node in so little host memory that it spills, on a disk that
// fails in every way.
func saysThatItsDiskFails(t *testing.T, node string, host int64) {
	t.Helper()
	for _, fault := range []string{"write", "read", "flip"} {
		t.Run(fault, func(t *testing.T) {
			var write, read, flip atomic.Bool
			map[string]*atomic.Bool{"write": &write, "read": &read, "flip": &flip}[fault].Store(true)
			options := mem.Options{SpillDir: t.TempDir(), Files: func(string) (mem.File, error) {
				return faultyFile{&memoryFile{}, &write, &read, &flip}, nil
			}}
			options.Limits[mem.Host], options.Limits[mem.Disk] = mem.Bytes(host), mem.Bytes(64<<20)
			r, err := mem.New(options)
			if err != nil {
				t.Fatal(err)
			}
			err = rehearse(t.Context(), r, everyNode()[node], 40, takeAll)
			if fault == "flip" && err == nil || fault != "flip" && !errors.Is(err, errDisk) {
				t.Errorf("%v", err)
			}
			t.Log(err)
			if err := r.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// Two sorts in a row, and two beside each other, in memory that one of them would fill.
func TestSeveralSortsShareLittleMemory(t *testing.T) {
	r := newResource(t, 1<<20)
	net := sluice.NewNetwork("test", sluice.WithMemory(r))
	s := Sort{By: []SortKey{{Column: "name"}}}
	first, second, third := net.Channel("first"), net.Channel("second"), net.Channel("third")
	madeUp(40, 300)(net, first)
	net.Node(s.Node("one", first, second))
	net.Node(Sort{By: []SortKey{{Column: "key"}}}.Node("two", second, third))
	rows := 0
	net.Node("sink", func(ctx context.Context) error {
		return eachChunk(ctx, third, func(_ *sluice.Message, chunk *Chunk) error {
			rows += chunk.Rows()
			return nil
		})
	}, reads(third))

	other := sluice.NewNetwork("other", sluice.WithMemory(r))
	in, out := other.Channel("in"), other.Channel("out")
	madeUp(40, 300)(other, in)
	other.Node(s.Node("three", in, out))
	other.Node("sink", func(ctx context.Context) error { return takeAll(ctx, out) }, reads(out))
	failed := make(chan error)
	go func() { failed <- other.Run(t.Context()) }()
	if err := net.Run(t.Context()); err != nil || rows != 40*300 {
		t.Errorf("%d rows, %v", rows, err)
	}
	if err := <-failed; err != nil {
		t.Error(err)
	}
	assertWithin(t, r, true)
}
