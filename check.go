package sluice

import (
	"errors"
	"fmt"
	"slices"
)

// check returns everything that makes the network impossible to run, joined. Each
// error names the culprit. Callers hold the lock.
func (n *Network) check() error {
	var problems []error
	report := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("sluice: network %q: "+format, append([]any{n.name}, args...)...))
	}

	names := make(map[string]bool, len(n.mu.nodes))
	for i, nd := range n.mu.nodes {
		switch {
		case nd.name == "":
			report("node %d has no name", i+1)
		case names[nd.name]:
			report("two nodes are called %q", nd.name)
		}
		names[nd.name] = true
		if nd.run == nil {
			report("node %q has no function to run", nd.name)
		}
	}

	type ends struct{ readers, writers int }
	joined := make(map[*Channel]*ends, len(n.mu.channels))
	clear(names)
	for i, c := range n.mu.channels {
		switch {
		case c.name == "":
			report("channel %d has no name", i+1)
		case names[c.name]:
			report("two channels are called %q", c.name)
		}
		names[c.name] = true
		for _, err := range c.invalid {
			report("channel %q: %w", c.name, err)
		}
		joined[c] = &ends{}
	}

	for _, nd := range n.mu.nodes {
		if slices.ContainsFunc(nd.ports, func(p Port) bool { return slices.Contains(p.channels, nil) }) {
			report("node %q has a nil channel in a port", nd.name)
		}
		for _, writes := range []bool{false, true} {
			verb := map[bool]string{false: "reads", true: "writes"}[writes]
			seen := map[*Channel]bool{}
			for c := range nd.each(writes) {
				switch {
				case c.net == nil:
					report("node %q %s channel %q, which belongs to no network; make it with Network.Channel", nd.name, verb, c.name)
					continue
				case c.net != n:
					report("node %q %s channel %q of network %q", nd.name, verb, c.name, c.net.name)
					continue
				case seen[c]:
					report("node %q %s channel %q twice", nd.name, verb, c.name)
				}
				seen[c] = true
				if writes {
					joined[c].writers++
				} else {
					joined[c].readers++
				}
			}
		}
	}
	n.checkHomes(report)
	for _, c := range n.mu.channels {
		if joined[c].writers == 0 {
			report("channel %q has no writer", c.name)
		}
		if joined[c].readers == 0 {
			report("channel %q has no reader", c.name)
		}
	}
	return errors.Join(problems...)
}
