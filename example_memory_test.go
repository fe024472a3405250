package sluice_test

import (
	"context"
	"fmt"
	"os"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
)

// A network that holds eight times as much as its budget: what waits goes to disk, and
// comes back when it is wanted.
func Example_memory() {
	ctx := context.Background()
	var limits [mem.Kinds]mem.Limit
	limits[mem.Host] = mem.Bytes(8 << 20)
	memory, err := mem.New(mem.Options{Limits: limits, SpillDir: os.TempDir()})
	if err != nil {
		fmt.Println(err) // says which option makes no sense, and what would
		return
	}

	net := sluice.NewNetwork("budget", sluice.WithMemory(memory))
	blocks := net.Channel("blocks", sluice.Slots(64))
	made := make(chan struct{})
	net.Node("make", func(ctx context.Context) error {
		defer close(made)
		for i := range 64 {
			block, err := makeBlock(ctx, byte(i), 1<<20)
			if err != nil {
				return err
			}
			m := sluice.NewMessage(sluice.SeqNum(i), block)
			if err := blocks.Send(ctx, &m); err != nil {
				m.Release()
				return err
			}
		}
		return nil
	}, sluice.Writes(blocks))
	right := 0
	net.Node("check", func(ctx context.Context) error {
		<-made // as a consumer that is slow would
		for m, err := range blocks.All(ctx) {
			if err != nil {
				return err
			}
			block, err := sluice.Peek[*mem.Buffer](&m)
			if err == nil {
				data, _ := block.Bytes() // it is in host memory: the port says so
				if data[0] == byte(m.Seq()) && data[len(data)-1] == byte(m.Seq()) {
					right++
				}
			}
			m.Release()
		}
		return nil
	}, sluice.Reads(blocks).At(mem.Host))

	err = net.Run(ctx) // an error, too, if a node forgot to release something
	host := memory.Stats().Kinds[mem.Host]
	fmt.Println(err, memory.Close(ctx))
	fmt.Println("right:", right)
	fmt.Println("spilled more than 50 MiB:", host.Spilled > 50<<20)
	fmt.Println("never more than 8 MiB:", host.Peak <= 8<<20)
	// Output:
	// <nil> <nil>
	// right: 64
	// spilled more than 50 MiB: true
	// never more than 8 MiB: true
}

func makeBlock(ctx context.Context, value byte, size int64) (*mem.Buffer, error) {
	res, err := mem.FromContext(ctx).Reserve(ctx, mem.Host, size) // waits for room
	if err != nil {
		return nil, err
	}
	defer res.Release() // gives back what was not used
	block, err := res.Alloc(mem.Host, size, nil)
	if err != nil {
		return nil, err
	}
	data, err := block.Exclusive() // to write, while nobody else has it
	if err != nil {
		block.Release()
		return nil, err
	}
	for i := range data {
		data[i] = value
	}
	return block, nil
}

// State that a node keeps between messages can be spilled, too, once it is registered.
func Example_register() {
	ctx := context.Background()
	var limits [mem.Kinds]mem.Limit
	limits[mem.Host] = mem.Bytes(8 << 20)
	memory, err := mem.New(mem.Options{Limits: limits, SpillDir: os.TempDir()})
	if err != nil {
		fmt.Println(err)
		return
	}
	net := sluice.NewNetwork("state", sluice.WithMemory(memory))
	net.Node("collect", func(ctx context.Context) error {
		memory := mem.FromContext(ctx)
		type part struct {
			*mem.Buffer
			*mem.Registration
		}
		var parts []part
		defer func() {
			for _, p := range parts {
				p.Remove() // first: from here on it is ours alone
				p.Release()
			}
		}()
		for i := range 32 { // four times the budget
			block, err := makeBlock(ctx, byte(i), 1<<20)
			if err != nil {
				return err
			}
			parts = append(parts, part{block, memory.Register(ctx, fmt.Sprintf("part %d", i), block)})
		}
		for _, p := range parts {
			p.Remove()
			res, err := memory.Reserve(ctx, mem.Host, p.RestoreNeed(mem.Host))
			if err != nil {
				return err
			}
			_, err = p.Restore(ctx, res) // does nothing if it was never spilled
			res.Release()
			if err != nil {
				return err
			}
			p.Release()
		}
		parts = nil
		return nil
	})
	fmt.Println(net.Run(ctx), memory.Close(ctx))
	// Output: <nil> <nil>
}
