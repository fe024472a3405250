package plan_test

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/plan"
	"github.com/seed14ed4225/sluice/table"
)

func ExampleLoad() {
	job, err := plan.Load("../examples/flights.yaml", map[string]string{"top": "3"})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := job.Run(context.Background(), plan.Env{Format: table.FormatCSV}); err != nil {
		fmt.Println(err)
	}
	// Output:
	// origin,flights,mean_delay
	// ORD,11277,8.747982619491
	// DFW,10451,7.724811022868625
	// ATL,8339,8.279889675020986
}

// A caller's limits go before those of the job. Who makes the memory of a run closes it.
func ExampleJob_Memory() {
	job, err := plan.Load("../examples/flights.yaml", map[string]string{"top": "1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	memory, err := job.Memory(plan.Memory{Host: mem.Bytes(64 << 20)})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := job.Run(ctx, plan.Env{Memory: memory, Format: table.FormatCSV}); err != nil {
		fmt.Println(err)
	}
	host := memory.Stats().Kinds[mem.Host]
	fmt.Println("within limits:", host.Peak <= host.Limit, "spilled:", host.Spilled)
	if err := memory.Close(ctx); err != nil { // what was never released
		fmt.Println(err)
	}
	// Output:
	// origin,flights,mean_delay
	// ORD,11277,8.747982619491
	// within limits: true spilled: 0
}

// Where a program chooses the device, it opens it before the memory and closes it after it.
func ExampleJob_OpenDevice() {
	job, err := plan.Load("../examples/flights.yaml", map[string]string{"top": "1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	on, err := job.OpenDevice(plan.DeviceOptions{Name: plan.HostDevice}) // or cuda:0
	if err != nil {
		fmt.Println(err)
		return
	}
	if on != nil { // a CUDA device that a node of the job can use
		defer func() { _ = on.Close() }()
	}
	ctx := context.Background()
	memory, err := job.Memory(plan.Memory{On: on})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = job.Run(ctx, plan.Env{Memory: memory, Format: table.FormatCSV})
	fmt.Println(err, memory.Close(ctx))
	// Output:
	// origin,flights,mean_delay
	// ORD,11277,8.747982619491
	// <nil> <nil>
}

// sample is a kind of node that is not built in: it passes on every nth chunk.
type sample struct {
	Every plan.At[int] `job:"every,required" doc:"of how many chunks one is passed on"`
}

func (s *sample) Schema(in []*arrow.Schema) ([]*arrow.Schema, error) {
	if s.Every.Value < 1 {
		return nil, s.Every.Wrong(fmt.Errorf("one of %d chunks cannot be had", s.Every.Value))
	}
	return in, nil
}

func (s *sample) Add(to *sluice.Network, at plan.Place) error {
	in, out := at.In[0], at.Out[0]
	to.Node(at.Name, func(ctx context.Context) error {
		seen := 0
		for m, err := range in.All(ctx) {
			if err != nil {
				return err
			}
			if seen%s.Every.Value == 0 {
				err = out.Send(ctx, &m)
			}
			m.Release()
			seen++
			if err != nil {
				return err
			}
		}
		return nil
	}, sluice.Reads(in), sluice.Writes(out))
	return nil
}

func ExampleKinds() {
	kinds := append(plan.Builtin(), plan.Kind{
		Name:     "sample",
		Summary:  "pass on some of the chunks",
		Reads:    plan.One,
		Writes:   plan.One,
		Settings: func() plan.Step { return &sample{} },
	})
	const job = `
nodes:
  scan: {kind: scan, files: "${job_dir}/data", columns: delay, out: all}
  some: {kind: sample, in: all, every: %s, out: some}
  sum: {kind: aggregate, in: some, compute: {flights: count}, out: sum}
  show: {kind: print, in: sum}
`
	for _, every := range []string{"4", "0", "four"} {
		j, err := kinds.Parse("../examples/sample.yaml", []byte(fmt.Sprintf(job, every)), nil)
		if err == nil {
			err = j.Run(context.Background(), plan.Env{})
		}
		if err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// flights
	//   50000
	// ../examples/sample.yaml:4:40: node "some": one of 0 chunks cannot be had
	// ../examples/sample.yaml:4:40: node "some": every: expected a whole number, got "four"
}
