package plan

import (
	"context"

	"github.com/seed14ed4225/sluice"
)

// workers is how many workers a node has that says how many itself, or 0 if it does not.
func (p Place) workers(own int) int {
	if own > 0 {
		return own
	}
	return p.Workers
}

// pass adds a node that passes sequence numbers on.
func (p Place) pass(to *sluice.Network) func(string, func(context.Context) error, sluice.Port, sluice.Port) {
	return func(name string, run func(context.Context) error, in, out sluice.Port) {
		if p.Unordered {
			out = out.Unordered()
		}
		to.Node(name, run, in, out)
	}
}
