package device_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed14ed4225/sluice/device"
)

// Two streams share the work: one brings data to the device and computes, the other
// takes results back as soon as they are there.
func Example() {
	dev, err := device.NewHost(device.HostOptions{DeviceMemory: 1 << 20})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() {
		if err := dev.Close(); err != nil { // says what was never freed
			fmt.Println(err)
		}
	}()
	answer, err := squares(context.Background(), dev, []byte{1, 2, 3, 4})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%d\n", answer)
	// Output: [1 4 9 16]
}

func squares(ctx context.Context, dev *device.Host, numbers []byte) ([]byte, error) {
	compute, err := dev.NewStream(device.StreamOptions{Name: "compute"})
	if err != nil {
		return nil, err
	}
	defer compute.Close()
	results, err := dev.NewStream(device.StreamOptions{Name: "results", Priority: device.High})
	if err != nil {
		return nil, err
	}
	defer results.Close()

	block, err := compute.Alloc(int64(len(numbers)))
	if err != nil {
		return nil, err // an *OutOfMemoryError says how much was free
	}
	defer results.Free(block) // behind everything that is queued below

	answer := make([]byte, len(numbers))
	err = errors.Join( // none of this waits
		compute.Copy(block.All(), device.Bytes(numbers)),
		compute.Do("square", func() error {
			for i, v := range dev.Bytes(block) {
				dev.Bytes(block)[i] = v * v
			}
			return nil
		}),
		results.WaitFor(compute.Record()), // or the copy would not see the squares
		results.Copy(device.Bytes(answer), block.All()),
	)
	if err != nil {
		return nil, err
	}
	return answer, results.Sync(ctx) // the goroutine parks here
}
