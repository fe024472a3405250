package plan

import (
	"cmp"
	"slices"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/table"
)

// Network makes a network of the job, ready to run. It reads no files, so a
// job's graph can be seen where its data is not.
func (j *Job) Network(env Env) (*sluice.Network, error) {
	options := slices.Clip(env.Options)
	if env.Memory != nil {
		options = append(options, sluice.WithMemory(env.Memory))
	}
	if env.Logger != nil {
		options = append(options, sluice.WithLogger(env.Logger))
	}
	network := sluice.NewNetwork(j.name, options...)
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
		at := Place{Name: n.name, Unordered: unordered[n], Workers: cmp.Or(env.Workers, j.workers), Env: env}
		for _, c := range n.reads {
			at.In = append(at.In, channels[c])
		}
		at.condition = conditionBehind(n)
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
			mixer, ok := n.step.(interface{ mixes() bool })
			mixed := ok && mixer.mixes() || len(c.writers) > 1 || slices.ContainsFunc(c.writers, func(w *node) bool { return found[w] })
			found[n] = found[n] || mixed
		}
	}
	return found
}

// Conditions returns, by the names of the nodes that scan Parquet, the condition by which the network leaves
// out row groups and pages, as far as their statistics allow: that of the filter that reads all that
// the scan writes, if nobody else does. Those that read everything are not in it.
func (j *Job) Conditions() map[string]string {
	found := make(map[string]string)
	for _, n := range j.nodes {
		condition := conditionBehind(n)
		if s, ok := n.step.(*scan); ok && condition != "" && !s.settings().IsCSV() {
			found[n.name] = condition
		}
	}
	return found
}

// conditionBehind returns the condition of a filter that reads all that a node writes, and nobody else
// does; "" if there is none.
func conditionBehind(n *node) string {
	if len(n.writes) != 1 || len(n.writes[0].readers) != 1 {
		return ""
	}
	if f, ok := n.writes[0].readers[0].step.(*filter); ok {
		return f.Where.Value.text
	}
	return ""
}
