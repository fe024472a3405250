package sluice_test

import (
	"context"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/semaphore"

	"github.com/seed14ed4225/sluice"
)

// load stands for the expensive part of producing: it reads a file into memory, and
// counts how many are in memory at a time.
func load(i int) *file {
	n := loaded.Add(1)
	for most := mostLoaded.Load(); n > most && !mostLoaded.CompareAndSwap(most, n); most = mostLoaded.Load() {
	}
	return &file{i}
}

var loaded, mostLoaded atomic.Int64

type file struct{ number int }

func (*file) Release() { loaded.Add(-1) }

// Eight producers share two tickets, so two files are in memory at a time, from
// before they are read until the consumer has released them.
func ExampleThrottle() {
	loaded.Store(0)
	mostLoaded.Store(0)
	net := sluice.NewNetwork("throttled")
	files := net.Channel("files", sluice.Slots(8))
	throttle, err := sluice.NewThrottle(files, 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range 8 {
		net.Node(fmt.Sprintf("reader %d", i), func(ctx context.Context) error {
			ticket, err := throttle.Acquire(ctx) // waits here, before memory is taken
			if err != nil {
				return err
			}
			defer ticket.Release() // a no-op once it was used
			m := sluice.NewMessage(sluice.SeqNum(i), load(i))
			defer m.Release() // a no-op once it was sent
			return ticket.SendHeld(ctx, &m)
		}, sluice.Writes(files))
	}
	net.Node("consumer", func(ctx context.Context) error {
		for m, err := range files.All(ctx) {
			if err != nil {
				return err
			}
			m.Release() // frees the file, and gives the ticket back
		}
		return nil
	}, sluice.Reads(files))

	fmt.Println(net.Run(context.Background()), "more than 2 at a time:", mostLoaded.Load() > 2)
	// Output: <nil> more than 2 at a time: false
}

// The same with a semaphore. It works as well; what the throttle did by itself is
// now the program's to get right.
func ExampleThrottle_semaphore() {
	loaded.Store(0)
	mostLoaded.Store(0)
	net := sluice.NewNetwork("throttled")
	files := net.Channel("files", sluice.Slots(8))
	tickets := semaphore.NewWeighted(2)
	for i := range 8 {
		net.Node(fmt.Sprintf("reader %d", i), func(ctx context.Context) error {
			if err := tickets.Acquire(ctx, 1); err != nil {
				return err
			}
			m := sluice.NewMessage(sluice.SeqNum(i), load(i))
			if err := files.Send(ctx, &m); err != nil {
				m.Release()
				tickets.Release(1) // not sent: nobody else will
				return err
			}
			return nil
		}, sluice.Writes(files))
	}
	net.Node("consumer", func(ctx context.Context) error {
		for m, err := range files.All(ctx) {
			if err != nil {
				return err
			}
			m.Release()
			tickets.Release(1) // every consumer must know of the semaphore
		}
		return nil
	}, sluice.Reads(files))

	fmt.Println(net.Run(context.Background()), "more than 2 at a time:", mostLoaded.Load() > 2)
	// Output: <nil> more than 2 at a time: false
}
