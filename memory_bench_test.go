package sluice_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
)

// BenchmarkRoomyMemory is what a network pays for having a budget that it never reaches,
// as a ratio to the same network without: "plain" with messages that own nothing,
// "buffers" with a MiB of memory each, which is reserved, allocated, touched, sent,
// received and released. It should be at most 1.05. The two take turns, and the ratio is
// the median of those of the turns.
func BenchmarkRoomyMemory(b *testing.B) {
	for name, c := range map[string]struct {
		messages int
		source   func(*sluice.Channel, int) func(context.Context) error
	}{
		"plain":   {20_000, sendsNumbers},
		"buffers": {400, sendsBuffers},
	} {
		b.Run(name, func(b *testing.B) {
			r, err := mem.New(mem.Options{Limits: [mem.Kinds]mem.Limit{mem.Host: mem.Bytes(256 << 20)}})
			errIs(b, err, nil)
			run := func(opts ...sluice.NetworkOption) time.Duration {
				net := sluice.NewNetwork("roomy", opts...)
				rows, passed := net.Channel("rows"), net.Channel("passed")
				net.Node("send", c.source(rows, c.messages), sluice.Writes(rows))
				net.Node("pass", passes(rows, passed), sluice.Reads(rows), sluice.Writes(passed))
				net.Node("drop", drops(passed), sluice.Reads(passed))
				began := time.Now()
				errIs(b, net.Run(context.Background()), nil)
				return time.Since(began)
			}
			run(sluice.WithMemory(r))
			var ratios []float64
			for i := 0; i < max(b.N, 11); i++ {
				var with, without time.Duration
				if i%2 == 0 {
					with, without = run(sluice.WithMemory(r)), run()
				} else {
					without, with = run(), run(sluice.WithMemory(r))
				}
				ratios = append(ratios, float64(with)/float64(without))
			}
			slices.Sort(ratios)
			b.ReportMetric(ratios[len(ratios)/2], "of-without")
			errIs(b, r.Close(context.Background()), nil)
		})
	}
}

func sendsNumbers(out *sluice.Channel, n int) func(context.Context) error {
	return func(ctx context.Context) error {
		for i := range n {
			m := sluice.NewMessage(sluice.SeqNum(i), i)
			if err := out.Send(ctx, &m); err != nil {
				return err
			}
		}
		return nil
	}
}

// sendsBuffers takes them from the network's memory, or without it keeps some for itself.
func sendsBuffers(out *sluice.Channel, n int) func(context.Context) error {
	return func(ctx context.Context) error {
		r := mem.FromContext(ctx)
		for i := range n {
			b, data, err := payload(ctx, r)
			if err != nil {
				return err
			}
			clear(data)
			m := sluice.NewMessage(sluice.SeqNum(i), b)
			if err := out.Send(ctx, &m); err != nil {
				return err
			}
		}
		return nil
	}
}

// kept are the payloads of the network without memory. It would be unfair to let that have
// new memory each time, which costs more than everything else.
var kept = sync.Pool{New: func() any { return &plainBuffer{make([]byte, 1<<20)} }}

type plainBuffer struct{ data []byte }

func (p *plainBuffer) Release() { kept.Put(p) }

// payload returns a MiB, by way of a reservation if there is a resource.
func payload(ctx context.Context, r *mem.Resource) (any, []byte, error) {
	if r == nil {
		p := kept.Get().(*plainBuffer)
		return p, p.data, nil
	}
	b, err := newBuffer(ctx, r, mem.Host, 1<<20)
	if err != nil {
		return nil, nil, err
	}
	data, err := b.Exclusive()
	return b, data, err
}

func passes(in, out *sluice.Channel) func(context.Context) error {
	return func(ctx context.Context) error {
		for m, err := range in.All(ctx) {
			if err != nil {
				return err
			}
			if err := out.Send(ctx, &m); err != nil {
				return err
			}
		}
		return nil
	}
}

func drops(in *sluice.Channel) func(context.Context) error {
	return func(ctx context.Context) error {
		for m, err := range in.All(ctx) {
			if err != nil {
				return err
			}
			m.Release()
		}
		return nil
	}
}

// BenchmarkSharedLimit is 64 nodes' worth of goroutines in a limit that lets four of them go on
// at a time, as a ratio to one goroutine alone: the throughput must not collapse.
func BenchmarkSharedLimit(b *testing.B) {
	const need = 1000
	r, err := mem.New(mem.Options{Limits: [mem.Kinds]mem.Limit{mem.Host: mem.Bytes(5 * need)}})
	errIs(b, err, nil)
	const rounds = 6400
	run := func(goroutines int) time.Duration {
		began := time.Now()
		var calls []*call[struct{}]
		for range goroutines {
			calls = append(calls, try(func() error {
				for range rounds / goroutines {
					res, err := r.Reserve(context.Background(), mem.Host, need)
					if err != nil {
						return err
					}
					spin()
					res.Release()
				}
				return nil
			}))
		}
		for _, c := range calls {
			<-c.done
			errIs(b, c.err, nil)
		}
		return time.Since(began)
	}
	var ratios []float64
	for b.Loop() {
		ratios = append(ratios, float64(run(64))/float64(run(1)))
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "of-alone")
	errIs(b, r.Close(context.Background()), nil)
}

// spin is some microseconds of work.
func spin() {
	sum := 0
	for i := range 5000 {
		sum += i
	}
	if sum < 0 {
		panic(fmt.Sprint(sum))
	}
}
