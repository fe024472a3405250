package ops_test

import (
	"container/heap"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/ops"
)

// The benchmarks compare a stock node with what people write by hand with chan and
// select, in the same run: each round times both, one after the other, and what is
// reported is the median of the rounds' ratios, so that the drift of a shared machine
// cancels out. Sources and sinks are part of both sides.
//
//	go test -bench . -cpu 1,2 ./ops

// handMessage is what goes over the Go channels of the peers: 64 bytes by value.
type handMessage struct {
	seq     uint64
	payload any
	_       [40]byte
}

const perRound = 50_000

// compare runs both sides for b.N rounds and reports the median ratio.
func compare(b *testing.B, ours, peer func(b *testing.B)) {
	b.Helper()
	timed := func(f func(*testing.B)) float64 {
		start := time.Now()
		f(b)
		return float64(time.Since(start).Nanoseconds()) / perRound
	}
	timed(ours) // warm up
	timed(peer)
	var ratios, mine []float64
	for range b.N { // not b.Loop, which measures before -cpu takes effect
		p := timed(peer)
		o := timed(ours)
		ratios, mine = append(ratios, o/p), append(mine, o)
	}
	b.ReportMetric(median(ratios), "ratio")
	b.ReportMetric(median(mine), "ns/msg")
	b.ReportMetric(0, "ns/op")
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// source sends count messages numbered first, first+step and so on. The payload is
// boxed once, so that neither side measures the allocator.
func source(net *sluice.Network, name string, out *sluice.Channel, first, step, count int) {
	net.Node(name, func(ctx context.Context) error {
		payload := any("payload")
		for i := range count {
			m := sluice.NewMessage(sluice.SeqNum(first+i*step), payload)
			if err := out.Send(ctx, &m); err != nil {
				return err
			}
		}
		return nil
	}, sluice.Writes(out))
}

func sink(net *sluice.Network, in *sluice.Channel) {
	net.Node("sink of "+in.Name(), func(ctx context.Context) error {
		for _, err := range in.All(ctx) {
			if err != nil {
				return err
			}
		}
		return nil
	}, sluice.Reads(in))
}

func runBench(b *testing.B, net *sluice.Network) {
	b.Helper()
	if err := net.Run(context.Background()); err != nil {
		b.Fatal(err)
	}
}

// hand is a pipeline by hand: goroutines that end with a context.
type hand struct {
	sync.WaitGroup
	ctx context.Context
}

func (h *hand) send(c chan handMessage, m handMessage) bool {
	select {
	case c <- m:
		return true
	case <-h.ctx.Done():
		return false
	}
}

func (h *hand) recv(c chan handMessage) (handMessage, bool) {
	select {
	case m, ok := <-c:
		return m, ok
	case <-h.ctx.Done():
		return handMessage{}, false
	}
}

func (h *hand) source(c chan handMessage, first, step, count int) {
	h.Go(func() {
		defer close(c)
		payload := any("payload")
		for i := range count {
			if !h.send(c, handMessage{seq: uint64(first + i*step), payload: payload}) {
				return
			}
		}
	})
}

func (h *hand) sink(c chan handMessage) {
	h.Go(func() {
		for {
			if _, ok := h.recv(c); !ok {
				return
			}
		}
	})
}

func byHand(f func(h *hand)) func(*testing.B) {
	return func(*testing.B) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		h := &hand{ctx: ctx}
		f(h)
		h.Wait()
	}
}

func chans(n, slots int) []chan handMessage {
	cs := make([]chan handMessage, n)
	for i := range cs {
		cs[i] = make(chan handMessage, slots)
	}
	return cs
}

func closeAll(cs []chan handMessage) {
	for _, c := range cs {
		close(c)
	}
}

// The peer sends to one output after another, so that one that is slow holds up the
// others, and its outputs cannot leave. Behind a backlog it has as many slots more.
func BenchmarkBroadcast(b *testing.B) {
	for _, outputs := range []int{2, 4, 16} {
		for _, backlog := range []int{0, 16} {
			name := fmt.Sprintf("outputs=%d/backlog=%d", outputs, backlog)
			opts := []ops.BroadcastOption{ops.Shared()}
			if backlog > 0 {
				opts = append(opts, ops.BacklogMessages(backlog))
			}
			b.Run(name, func(b *testing.B) {
				compare(b, func(b *testing.B) {
					net := sluice.NewNetwork("bench")
					in, outs := net.Channel("in"), channels(net, "out", outputs)
					source(net, "source", in, 0, 1, perRound)
					net.Node(ops.Broadcast("broadcast", in, outs, opts...))
					for _, out := range outs {
						sink(net, out)
					}
					runBench(b, net)
				}, byHand(func(h *hand) {
					in, outs := make(chan handMessage, 1), chans(outputs, 1+backlog)
					h.source(in, 0, 1, perRound)
					h.Go(func() {
						defer closeAll(outs)
						for {
							m, ok := h.recv(in)
							if !ok {
								return
							}
							for _, out := range outs {
								if !h.send(out, m) {
									return
								}
							}
						}
					})
					for _, out := range outs {
						h.sink(out)
					}
				}))
			})
		}
	}
}

// The peer selects over the workers' channels, four of them.
func BenchmarkDistribute(b *testing.B) {
	for _, slots := range []int{1, 16} {
		b.Run(fmt.Sprintf("workers=4/slots=%d", slots), func(b *testing.B) {
			compare(b, func(b *testing.B) {
				net := sluice.NewNetwork("bench")
				in, outs := net.Channel("in", sluice.Slots(slots)), channels(net, "out", 4, sluice.Slots(slots))
				source(net, "source", in, 0, 1, perRound)
				net.Node(ops.Distribute("distribute", in, outs))
				for _, out := range outs {
					sink(net, out)
				}
				runBench(b, net)
			}, byHand(func(h *hand) {
				in, outs := make(chan handMessage, slots), chans(4, slots)
				h.source(in, 0, 1, perRound)
				h.Go(func() {
					defer closeAll(outs)
					for {
						m, ok := h.recv(in)
						if !ok {
							return
						}
						select {
						case outs[0] <- m:
						case outs[1] <- m:
						case outs[2] <- m:
						case outs[3] <- m:
						case <-h.ctx.Done():
							return
						}
					}
				})
				for _, out := range outs {
					h.sink(out)
				}
			}))
		})
	}
}

// The peer selects over the producers' channels, four of them.
func BenchmarkMerge(b *testing.B) {
	for _, slots := range []int{1, 16} {
		b.Run(fmt.Sprintf("inputs=4/slots=%d", slots), func(b *testing.B) {
			compare(b, func(b *testing.B) {
				net := sluice.NewNetwork("bench")
				ins, out := channels(net, "in", 4, sluice.Slots(slots)), net.Channel("out", sluice.Slots(slots))
				for i, in := range ins {
					source(net, in.Name(), in, i, 4, perRound/4)
				}
				net.Node(ops.Merge("merge", ins, out))
				sink(net, out)
				runBench(b, net)
			}, byHand(func(h *hand) {
				ins, out := chans(4, slots), make(chan handMessage, slots)
				for i, in := range ins {
					h.source(in, i, 4, perRound/4)
				}
				h.Go(func() {
					defer close(out)
					for open := 4; open > 0; {
						var m handMessage
						var ok bool
						var from int
						select {
						case m, ok = <-ins[0]:
							from = 0
						case m, ok = <-ins[1]:
							from = 1
						case m, ok = <-ins[2]:
							from = 2
						case m, ok = <-ins[3]:
							from = 3
						case <-h.ctx.Done():
							return
						}
						if !ok {
							ins[from] = nil
							open--
							continue
						}
						if !h.send(out, m) {
							return
						}
					}
				})
				h.sink(out)
			}))
		})
	}
}

// The peer is a heap over the producers' channels.
func BenchmarkOrderedMerge(b *testing.B) {
	for _, inputs := range []int{4, 100} {
		for _, dense := range []bool{false, true} {
			var opts []ops.OrderedMergeOption
			if dense {
				opts = append(opts, ops.Dense(0))
			}
			b.Run(fmt.Sprintf("inputs=%d/dense=%v", inputs, dense), func(b *testing.B) {
				compare(b, func(b *testing.B) {
					net := sluice.NewNetwork("bench")
					ins, out := channels(net, "in", inputs), net.Channel("out")
					for i, in := range ins {
						source(net, in.Name(), in, i, inputs, perRound/inputs)
					}
					net.Node(ops.OrderedMerge("merge", ins, out, opts...))
					sink(net, out)
					runBench(b, net)
				}, byHand(func(h *hand) {
					ins, out := chans(inputs, 1), make(chan handMessage, 1)
					for i, in := range ins {
						h.source(in, i, inputs, perRound/inputs)
					}
					h.Go(func() {
						defer close(out)
						var held handHeap
						for i, in := range ins {
							if m, ok := h.recv(in); ok {
								held = append(held, handHead{m, i})
							}
						}
						heap.Init(&held)
						for len(held) > 0 {
							top := &held[0]
							if !h.send(out, top.m) {
								return
							}
							if m, ok := h.recv(ins[top.input]); ok {
								top.m = m
								heap.Fix(&held, 0)
							} else {
								heap.Pop(&held)
							}
						}
					})
					h.sink(out)
				}))
			})
		}
	}
}

type handHead struct {
	m     handMessage
	input int
}

type handHeap []handHead

func (h handHeap) Len() int           { return len(h) }
func (h handHeap) Less(i, j int) bool { return h[i].m.seq < h[j].m.seq }
func (h handHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *handHeap) Push(x any)        { *h = append(*h, x.(handHead)) }
func (h *handHeap) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}
