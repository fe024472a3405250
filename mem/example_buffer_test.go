package mem_test

import (
	"context"
	"fmt"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/mem"
)

// A step reserves what it needs, allocates, and queues work; whoever wants to look at the
// result waits for it.
func ExampleReservation_Alloc() {
	if err := sevens(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output: 1000 bytes of 7
}

func sevens(ctx context.Context) error {
	resource, err := mem.New(mem.Options{})
	if err != nil {
		return err
	}
	defer resource.Close(ctx)
	stream, err := resource.Device().NewStream(device.StreamOptions{Name: "compute"})
	if err != nil {
		return err
	}
	defer stream.Close()

	res, err := resource.Reserve(ctx, mem.Host, 1000)
	if err != nil {
		return err
	}
	defer res.Release()
	buffer, err := res.Alloc(mem.Host, 1000, stream)
	if err != nil {
		return err
	}
	defer buffer.Release()

	err = buffer.Write(func(s device.Stream, dst device.Span) error { return s.Fill(dst, 7) })
	if err != nil {
		return err
	}
	if err := buffer.Wait(ctx); err != nil { // until then Bytes refuses
		return err
	}
	bytes, err := buffer.Bytes()
	if err != nil {
		return err
	}
	fmt.Println(len(bytes), "bytes of", bytes[0])
	return nil
}
