package plan

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/seed14ed4225/sluice/table"
)

// channelNames reads a node's in or out.
func (p *parsing) channelNames(d *decoder, e entry) []At[string] {
	if !e.value.given() {
		return nil
	}
	var names []At[string]
	d.decode(e.value, reflect.ValueOf(&names).Elem(), e.key)
	written := e.value.items
	if e.value.shape != list {
		written = []*value{e.value}
	}
	for i, n := range names {
		switch {
		case n.Value == "":
			p.portsUnclear = true
			if written[i].scalar() { // otherwise reported, or its parameter was
				d.fail(n.Position, fmt.Errorf("%s: a channel name is empty", e.key))
			}
		case slices.ContainsFunc(names[:i], func(before At[string]) bool { return before.Value == n.Value }):
			advice := ""
			if e.key == "in" {
				advice = "; a message goes to one reader: a node of kind broadcast gives the same rows to several channels"
			}
			d.fail(n.Position, fmt.Errorf("%s: channel %q is here twice%s", e.key, n.Value, advice))
			p.portsUnclear = true
		default:
			if err := checkName(n.Value); err != nil {
				d.fail(n.Position, fmt.Errorf("%s: channel name %q: %w", e.key, shorten(n.Value), err))
				p.portsUnclear = true
			}
		}
	}
	if len(names) == 0 && !e.value.empty() {
		p.portsUnclear = true
	}
	return names
}

// countPorts says whether a node names as many channels as its kind takes.
func (p *parsing) countPorts(n *node, key, verb string, have []At[string], want Ports) bool {
	fail := func(at Position, format string, args ...any) { p.report.addf(at, n.name, format, args...) }
	switch {
	case len(have) > 0 && want.Most == 0:
		fail(have[0].Position, "kind %s %s no channel; remove %q", n.kind.Name, verb, key)
	case len(have) == 0 && want.Least > 0:
		fail(n.at, "setting %q is missing: kind %s %s %s", key, n.kind.Name, verb, want)
	case len(have) < want.Least:
		fail(have[0].Position, "kind %s %s %s, got %d", n.kind.Name, verb, want, len(have))
	case len(have) > want.Most:
		fail(have[want.Most].Position, "kind %s %s %s, got %d", n.kind.Name, verb, want, len(have))
	default:
		return true
	}
	return false
}

func (ps Ports) String() string {
	switch {
	case ps.Most == 0:
		return "no channel"
	case ps.Least == 1 && ps.Most == 1:
		return "one channel"
	case ps.Least == ps.Most:
		return fmt.Sprintf("%d channels", ps.Least)
	default:
		return fmt.Sprintf("%d or more channels", ps.Least)
	}
}

// wire joins the nodes by the channels they name, and checks that the result
// is a network in which everything flows somewhere.
func (p *parsing) wire(section *entry) {
	byName := make(map[string]*channel)
	use := func(name At[string]) *channel {
		c, ok := byName[name.Value]
		if !ok {
			c = &channel{name: name.Value, at: name.Position}
			byName[name.Value] = c
			p.job.channels = append(p.job.channels, c)
		}
		return c
	}
	for _, n := range p.job.nodes {
		for _, name := range n.in {
			c := use(name)
			c.readers = append(c.readers, n)
			n.reads = append(n.reads, c)
		}
		for _, name := range n.out {
			c := use(name)
			c.writers = append(c.writers, n)
			n.writes = append(n.writes, c)
		}
	}
	if section != nil {
		p.channelSettings(*section, byName)
	}
	if !p.portsUnclear {
		p.checkEnds()
		p.checkShared()
		p.sort()
	}
	p.checkPrinting()
}

func (p *parsing) channelSettings(section entry, byName map[string]*channel) {
	entries, ok := mappingOf(&section, p.report, "a mapping of channel names to their settings")
	if !ok {
		return
	}
	var names []string
	for _, c := range p.job.channels {
		names = append(names, c.name)
	}
	for _, e := range entries {
		c := byName[e.key]
		switch {
		case c == nil && !p.portsUnclear:
			p.report.addf(e.at, "", "no node reads or writes channel %q%s", shorten(e.key), instead(e.key, names))
			continue
		case c == nil || e.value.shape == unknown || e.value.shape == nothing:
			continue
		case e.value.shape != mapping:
			p.report.addf(e.value.at, "", "channel %q: expected a mapping of settings, got %v", e.key, e.value)
			continue
		}
		d := &decoder{report: func(at Position, err error) { p.report.addf(at, "", "channel %q: %w", c.name, err) }}
		d.settings(e.at, e.value.entries, &c.settings, "a channel")
	}
}

// checkEnds complains about channels that nobody writes or nobody reads. A
// misspelt name leaves one of each behind: then it is one mistake, not two.
func (p *parsing) checkEnds() {
	var written, unread []string
	for _, c := range p.job.channels {
		switch {
		case len(c.writers) > 0 && len(c.readers) == 0:
			unread = append(unread, c.name)
		case len(c.writers) > 0:
			written = append(written, c.name)
		}
	}
	candidates := append(slices.Clone(unread), written...)
	var misspelt []string
	for _, c := range p.job.channels {
		if len(c.writers) > 0 {
			continue
		}
		advice := instead(c.name, candidates)
		p.report.addf(c.at, c.readers[0].name, "no node writes channel %q%s", c.name, advice)
		if i := slices.IndexFunc(unread, func(name string) bool { return advice == fmt.Sprintf("; did you mean %q?", name) }); i >= 0 {
			misspelt = append(misspelt, unread[i])
		}
	}
	for _, c := range p.job.channels {
		if len(c.readers) == 0 && !slices.Contains(misspelt, c.name) {
			p.report.addf(c.at, c.writers[0].name, "no node reads channel %q; give it to one as in: %s", c.name, c.name)
		}
	}
}

// checkShared guards against a wrong answer: a name that several nodes read
// looks like a table that each of them sees, but it is a queue.
func (p *parsing) checkShared() {
	for _, c := range p.job.channels {
		if len(c.readers) < 2 || c.settings.Shared {
			continue
		}
		p.report.addf(c.at, "", "channel %q is read by %s, so that each would see only a part of the rows; put a node of kind broadcast between to give each all of them, or, if a part is meant, say so with channels: {%s: {shared: true}}",
			c.name, quotedNames(c.readers, " and "), c.name)
	}
}

// checkPrinting finds nodes whose output would be mixed, or that would replace each other's.
func (p *parsing) checkPrinting() {
	first := make(map[string]*node) // by what they write
	for _, n := range p.job.nodes {
		to := outputOf(n)
		switch before := first[to]; {
		case to == "":
		case before == nil:
			first[to] = n
		case to == table.StandardStream:
			p.report.addf(n.at, n.name, "a job prints once, and node %q (line %d) does already", before.name, before.at.Line)
		default:
			p.report.addf(n.at, n.name, "node %q (line %d) writes the same file", before.name, before.at.Line)
		}
	}
}

// outputOf names the file that a node makes, or standard output; "" if it is neither.
func outputOf(n *node) string {
	if n.kind == nil {
		return ""
	}
	if n.kind.Prints {
		return table.StandardStream
	}
	if step, ok := n.step.(*writing); ok && step.File.Value != "" {
		return filepath.Clean(step.File.Value)
	}
	return ""
}

// sort puts the nodes in an order in which each comes after those whose
// channels it reads. A network of table nodes with a cycle would wait for
// itself for ever, so that is an error.
func (p *parsing) sort() {
	type mark int
	const (
		open mark = iota + 1
		closed
	)
	marks := make(map[*node]mark, len(p.job.nodes))
	var path []*node
	var visit func(n *node)
	visit = func(n *node) {
		switch marks[n] {
		case closed:
			return
		case open:
			cycle := append(slices.Clone(path[slices.Index(path, n):]), n)
			p.report.addf(n.at, n.name, "the nodes wait for each other in a circle: %s", quotedNames(cycle, " reads "))
			return
		}
		marks[n] = open
		path = append(path, n)
		for _, c := range n.reads {
			for _, w := range c.writers {
				visit(w)
			}
		}
		path = path[:len(path)-1]
		marks[n] = closed
		p.job.order = append(p.job.order, n)
	}
	for _, n := range p.job.nodes {
		visit(n)
	}
}

func quotedNames(nodes []*node, between string) string {
	quoted := make([]string, len(nodes))
	for i, n := range nodes {
		quoted[i] = fmt.Sprintf("%q", n.name)
	}
	return strings.Join(quoted, between)
}
