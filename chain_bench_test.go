package sluice_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/seed14ed4225/sluice"
)

// BenchmarkChainMemory compares what a chain of 100,000 nodes costs in memory, heap
// and stacks, with a goroutine and a Go channel of one slot for each, in the same run:
// while everybody waits for the first message, and again after some have passed.
//
//	go test -run - -bench ChainMemory -benchtime 1x .
func BenchmarkChainMemory(b *testing.B) {
	const nodes = 100_000
	for _, passed := range []int{0, 3} {
		name := map[int]string{0: "waiting for the first message", 3: "after three"}[passed]
		b.Run(name, func(b *testing.B) {
			var ours, peer []float64
			for b.Loop() {
				peer = append(peer, chainOfGoChannels(nodes, passed))
				ours = append(ours, chainOfNodes(b, nodes, passed))
			}
			b.ReportMetric(median(ours), "B/node")
			b.ReportMetric(median(peer), "B/goroutine")
			b.ReportMetric(median(ours)/median(peer), "ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// inUse is the memory of heap and stacks after a collection.
func inUse() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc + m.StackInuse)
}

// pause lets everybody arrive where they wait.
func pause() { time.Sleep(200 * time.Millisecond) }

// chainOfNodes returns the bytes per node once as many messages have passed.
func chainOfNodes(b *testing.B, nodes, passed int) float64 {
	before := inUse()
	n, first, last := chain(nodes, nil)
	goOn, arrived := make(chan struct{}), make(chan struct{}, passed)
	n.Node("source", func(ctx context.Context) error {
		for i := range passed {
			m := sluice.NewMessage(sluice.SeqNum(i), b)
			if err := first.Send(ctx, &m); err != nil {
				return err
			}
		}
		<-goOn
		return nil
	}, sluice.Writes(first))
	n.Node("sink", func(ctx context.Context) error {
		for _, err := range last.All(ctx) {
			if err != nil {
				return err
			}
			arrived <- struct{}{}
		}
		return nil
	}, sluice.Reads(last))
	result := start(context.Background(), n)
	for range passed {
		<-arrived
	}
	pause()
	bytes := (inUse() - before) / float64(nodes)
	close(goOn)
	if err := <-result; err != nil {
		b.Error(err)
	}
	return bytes
}

// chainOfGoChannels is the same by hand.
func chainOfGoChannels(nodes, passed int) float64 {
	before := inUse()
	var all sync.WaitGroup
	first := make(chan handMessage, 1)
	last := first
	for range nodes {
		in, out := last, make(chan handMessage, 1)
		all.Go(func() {
			for m := range in {
				out <- m
			}
			close(out)
		})
		last = out
	}
	for i := range passed {
		first <- handMessage{seq: uint64(i)}
	}
	for range passed {
		<-last
	}
	pause()
	bytes := (inUse() - before) / float64(nodes)
	close(first)
	all.Wait()
	return bytes
}
