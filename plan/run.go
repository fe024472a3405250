package plan

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/internal/size"
	"github.com/seed14ed4225/sluice/mem"
)

// Run checks the job, makes a network of it and runs that, in the memory of env or
// else in that which the job asks for. The error is made of [JobError] values if nothing
// has started, and otherwise what the network's Run returned, with the place of
// each failed node ([RunError]).
func (j *Job) Run(ctx context.Context, env Env) (err error) {
	if err := j.Check(); err != nil {
		return err
	}
	if env.Memory == nil {
		if env.Memory, err = j.Memory(Memory{}); err != nil {
			return err
		}
		defer func() {
			// What it waits for are frees already under way, and spilling that looks
			// at its own context.
			if closing := env.Memory.Close(context.WithoutCancel(ctx)); closing != nil {
				err = errors.Join(err, closing)
			}
		}()
	}
	network, err := j.Network(env)
	if err != nil {
		return err
	}
	return j.Locate(network.Run(ctx))
}

// A RunError is the failure of a node while the job ran, with the place in the
// job where the node is.
type RunError struct {
	File     string
	Position Position
	Err      *sluice.NodeError
}

// Error gives file, line, column, node, and what went wrong. If it was that memory ran
// out, it says which setting of the job would help.
func (e *RunError) Error() string {
	return fmt.Sprintf("%s:%v: %v%s", e.File, e.Position, e.Err, remedy(e.Err))
}

// Unwrap returns the node's error.
func (e *RunError) Unwrap() error { return e.Err }

// Locate adds to each node's error in what a network of this job returned from
// Run where the job has that node. Other errors stay as they are.
func (j *Job) Locate(err error) error {
	var located []error
	for _, part := range flatten(err) {
		var failed *sluice.NodeError
		if errors.As(part, &failed) {
			for _, n := range j.nodes {
				if n.name == failed.Node {
					part = &RunError{File: j.file, Position: n.at, Err: failed}
				}
			}
		}
		located = append(located, part)
	}
	return errors.Join(located...)
}

// remedy says in the words of a job what to change when memory ran out, as the end of
// a message, or nothing if it is something else that went wrong.
func remedy(err error) string {
	var short *mem.NoMemoryError
	noMemory, diskFull := errors.As(err, &short), errors.Is(err, mem.ErrDiskFull)
	switch {
	case noMemory:
		kind, enough := short.Kind, roundUp(short.Smallest)
		advice := fmt.Sprintf("; in the job, say memory: {%v: %v}, or run it with --memory-%v %v", kind, enough, kind, enough)
		switch {
		case diskFull:
			advice += ", or name a disk with more room as spill_dir or --spill-dir"
		case short.Need <= short.Limit && short.Spilling == nil && kind != mem.Disk:
			advice += ", or let more of it be spilled, with disk and spill_dir"
		}
		return advice
	case diskFull:
		return "; name a disk with more room as spill_dir in the job's memory, or with --spill-dir"
	}
	return ""
}

// roundUp gives a limit of at least n bytes that one would write.
func roundUp(n int64) size.Size {
	unit := int64(1 << 10)
	if n > 1<<20 {
		unit = 1 << 20
	}
	return size.Size((n + unit - 1) / unit * unit)
}
