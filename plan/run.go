package plan

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/table/expr"
)

// Run checks the job, makes a network of it and runs that, in the memory of env or
// else in that which the job asks for, on the device that it asks for. The error is made of [JobError] values if nothing
// has started, and otherwise what the network's Run returned, with the place of
// each failed node ([RunError]).
func (j *Job) Run(ctx context.Context, env Env) (err error) {
	if err := j.Check(); err != nil {
		return err
	}
	if env.Memory == nil {
		d, opening := j.OpenDevice(DeviceOptions{CUDA: env.CUDA, Logger: env.Logger})
		if opening != nil {
			return opening
		}
		if d != nil {
			defer func() { err = also(err, d.Close()) }()
		}
		if env.Memory, err = j.Memory(Memory{On: d, Logger: env.Logger}); err != nil {
			return err
		}
		// What it waits for are frees already under way, and spilling that looks
		// at its own context.
		defer func() { err = also(err, env.Memory.Close(context.WithoutCancel(ctx))) }()
	}
	network, err := j.Network(env)
	if err != nil {
		return err
	}
	return j.Locate(network.Run(ctx))
}

// also joins an error of the end, if there is one, and leaves err as it is otherwise.
func also(err, closing error) error {
	if closing == nil {
		return err
	}
	return errors.Join(err, closing)
}

// A RunError is the failure of a node while the job ran, with the place in the
// job where the node is, or, if an expression has no value for a row, where the part of it stands that
// has none.
type RunError struct {
	File     string
	Position Position
	Kind     string // of the node, such as sort; "" if that is not known
	Err      *sluice.NodeError

	row   *expr.RowError // if Position is in an expression
	known outlook        // if memory ran out
}

// Error gives file, line, column, node, and what went wrong. If it was that memory ran
// out, it says which settings of the job to try.
func (e *RunError) Error() string {
	what := e.Err.Error()
	if e.row != nil {
		what = strings.Replace(what, e.row.Error(), e.row.Message(), 1)
	}
	return fmt.Sprintf("%s:%v: %s%s", e.File, e.Position, what, remedy(e.Err, e.known))
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
					at, row, inExpression := placeOf(n.step, failed)
					if !inExpression {
						at = n.at
					}
					part = &RunError{File: j.file, Position: at, Kind: n.kind.Name, Err: failed, row: row, known: j.outlook(n, failed)}
				}
			}
		}
		located = append(located, part)
	}
	return errors.Join(located...)
}
