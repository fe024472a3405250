package plan

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/table"
)

// Network makes a network of the job, ready to run. It reads no files, so a
// job's graph can be seen where its data is not.
func (j *Job) Network(env Env) (*sluice.Network, error) {
	network := sluice.NewNetwork(j.name, env.Options...)
	channels := make(map[*channel]*sluice.Channel, len(j.channels))
	for _, c := range j.channels {
		options := []sluice.ChannelOption{sluice.Of[*table.Chunk]()}
		if c.settings.Slots > 0 {
			options = append(options, sluice.Slots(c.settings.Slots))
		}
		if c.settings.Bytes > 0 {
			options = append(options, sluice.Bytes(c.settings.Bytes.Bytes()))
		}
		channels[c] = network.Channel(c.name, options...)
	}
	unordered := j.unordered()
	for _, n := range j.nodes {
		at := Place{Name: n.name, Unordered: unordered[n], Env: env}
		for _, c := range n.reads {
			at.In = append(at.In, channels[c])
		}
		for _, c := range n.writes {
			at.Out = append(at.Out, channels[c])
		}
		if err := n.step.Add(network, at); err != nil {
			return nil, &JobError{File: j.file, Position: n.at, Node: n.name, Err: err}
		}
	}
	return network, nil
}

// unordered finds the nodes whose input is a mix of what several nodes wrote.
func (j *Job) unordered() map[*node]bool {
	found := make(map[*node]bool)
	for _, n := range j.order { // writers before readers
		for _, c := range n.reads {
			mixed := len(c.writers) > 1 || slices.ContainsFunc(c.writers, func(w *node) bool { return found[w] })
			found[n] = found[n] || mixed
		}
	}
	return found
}

// Run checks the job, makes a network of it and runs that. The error is made
// of [JobError] values if nothing has started, and otherwise what the
// network's Run returned, with the place of each failed node ([RunError]).
func (j *Job) Run(ctx context.Context, env Env) error {
	if err := j.Check(); err != nil {
		return err
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

func (e *RunError) Error() string { return fmt.Sprintf("%s:%v: %v", e.File, e.Position, e.Err) }

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
