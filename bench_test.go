package sluice_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seed14ed4225/sluice"
)

// The benchmarks compare a channel with what people write by hand, in the same
// run: each round times both, one after the other, and what is reported is the
// median of the rounds' ratios, so that the drift of a shared machine cancels out.
//
//	go test -run xxx -bench Channel -benchtime 15x -cpu 1 .
//
// Tried and left out, because one to one suffers or little is gained: a spinning lock
// for every channel, with short and long backoff (one to one with 64 slots rises from
// 0.9 to 1.2), exact time stamps per wait (50 ns), a wait record under a lock of its own
// (20 ns), returning waiters to the pool under the lock (10 ns), messages of more than
// four words (8 ns).

// handMessage is what goes over the Go channels of the peers: 64 bytes by value.
type handMessage struct {
	seq     uint64
	payload any
	_       [40]byte
}

const perRound = 200_000

// compare runs both sides for b.N rounds and reports the median ratio.
func compare(b *testing.B, ours, peer func(messages int)) {
	b.Helper()
	ours(perRound / 10) // warm up
	peer(perRound / 10)
	var ratios, mine []float64
	timed := func(f func(int)) float64 {
		start := time.Now()
		f(perRound)
		return float64(time.Since(start).Nanoseconds()) / perRound
	}
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

// overChannel moves messages from producers to consumers over a sluice channel,
// inside a network so that statistics and waits are recorded.
func overChannel(b *testing.B, slots, producers, consumers int) func(int) {
	payload := any(b)
	return func(messages int) {
		n := sluice.NewNetwork("bench")
		c := n.Channel("c", sluice.Slots(slots))
		for p := range producers {
			n.Node(fmt.Sprint("producer ", p), func(ctx context.Context) error {
				for i := range messages / producers {
					m := sluice.NewMessage(sluice.SeqNum(i), payload)
					if err := c.Send(ctx, &m); err != nil {
						return err
					}
				}
				return nil
			}, sluice.Writes(c))
		}
		for p := range consumers {
			n.Node(fmt.Sprint("consumer ", p), func(ctx context.Context) error {
				for {
					if _, err := c.Recv(ctx); err != nil {
						return nil
					}
				}
			}, sluice.Reads(c))
		}
		if err := n.Run(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

// overChan is the same over a bare Go channel.
func overChan(b *testing.B, slots, producers, consumers int) func(int) {
	payload := any(b)
	return func(messages int) {
		c := make(chan handMessage, slots)
		var sending, receiving sync.WaitGroup
		for range producers {
			sending.Go(func() {
				for i := range messages / producers {
					c <- handMessage{seq: uint64(i), payload: payload}
				}
			})
		}
		for range consumers {
			receiving.Go(func() {
				for range c {
				}
			})
		}
		sending.Wait()
		close(c)
		receiving.Wait()
	}
}

// overSelect is the same with a context and a signal that the consumer has gone,
// as people write it who want to be able to end a pipeline.
func overSelect(b *testing.B, slots int) func(int) {
	payload := any(b)
	return func(messages int) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		c, gone := make(chan handMessage, slots), make(chan struct{})
		var both sync.WaitGroup
		both.Go(func() {
			defer close(c)
			for i := range messages {
				select {
				case c <- handMessage{seq: uint64(i), payload: payload}:
				case <-ctx.Done():
					return
				case <-gone:
					return
				}
			}
		})
		both.Go(func() {
			defer close(gone)
			for {
				select {
				case _, ok := <-c:
					if !ok {
						return
					}
				case <-ctx.Done():
					return
				}
			}
		})
		both.Wait()
	}
}

func overBatches(b *testing.B, slots, batch int) func(int) {
	payload := any(b)
	return func(messages int) {
		n := sluice.NewNetwork("bench")
		c := n.Channel("c", sluice.Slots(slots))
		n.Node("producer", func(ctx context.Context) error {
			ms := make([]sluice.Message, batch)
			for i := 0; i < messages; i += batch {
				for k := range ms {
					ms[k] = sluice.NewMessage(sluice.SeqNum(i+k), payload)
				}
				if _, err := c.SendN(ctx, ms); err != nil {
					return err
				}
			}
			return nil
		}, sluice.Writes(c))
		n.Node("consumer", func(ctx context.Context) error {
			ms := make([]sluice.Message, batch)
			for got := 0; ; {
				k, err := c.RecvN(ctx, ms)
				if err != nil {
					return nil
				}
				got += k
			}
		}, sluice.Reads(c))
		if err := n.Run(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkChannelOneToOne(b *testing.B) {
	for _, slots := range []int{1, 64} {
		b.Run(fmt.Sprintf("slots=%d/peer=chan", slots), func(b *testing.B) {
			compare(b, overChannel(b, slots, 1, 1), overChan(b, slots, 1, 1))
		})
		b.Run(fmt.Sprintf("slots=%d/peer=select", slots), func(b *testing.B) {
			compare(b, overChannel(b, slots, 1, 1), overSelect(b, slots))
		})
	}
}

func BenchmarkChannelBatches(b *testing.B) {
	b.Run("slots=64/batch=32/peer=chan", func(b *testing.B) {
		compare(b, overBatches(b, 64, 32), overChan(b, 64, 1, 1))
	})
}

func BenchmarkChannelManyToMany(b *testing.B) {
	for _, n := range [][2]int{{4, 4}, {100, 3}} {
		for _, slots := range []int{1, 64} {
			b.Run(fmt.Sprintf("%dto%d/slots=%d/peer=chan", n[0], n[1], slots), func(b *testing.B) {
				compare(b, overChannel(b, slots, n[0], n[1]), overChan(b, slots, n[0], n[1]))
			})
		}
	}
}
