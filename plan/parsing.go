package plan

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seed14ed4225/sluice/internal/suggest"
)

// parsing is a tree on its way to a job.
type parsing struct {
	report *report
	kinds  Kinds
	job    *Job

	// portsUnclear is set when a node's channels could not be read. Then what
	// no node seems to read or write may well be read or written.
	portsUnclear bool
}

// root reads the sections of a job.
func (p *parsing) root(root *value, given map[string]string) {
	switch root.shape {
	case mapping:
	case unknown:
		return
	default:
		p.report.addf(root.at, "", "expected a mapping with the nodes of the job under \"nodes\", got %v", root)
		return
	}
	known := []string{"name", "params", "device", "memory", "workers", "channels", "nodes"}
	sections := make(map[string]*entry)
	for i, e := range root.entries {
		if !slices.Contains(known, e.key) {
			p.report.addf(e.at, "", "unknown key %q%s", shorten(e.key), instead(e.key, known))
		}
		sections[e.key] = &root.entries[i]
	}
	params := newParameters(sections["params"], given, filepath.Dir(p.job.file), p.report)
	for _, section := range []string{"name", "device", "memory", "workers", "channels", "nodes"} {
		if e := sections[section]; e != nil {
			e.value = params.expand(e.value)
		}
	}
	params.finish()

	p.name(sections["name"])
	p.device(sections["device"])
	p.memory(sections["memory"])
	p.workers(sections["workers"])
	if e := sections["nodes"]; e == nil {
		p.report.add(root.at, "", errNoNodes)
	} else {
		p.nodes(e)
	}
	p.wire(sections["channels"])
}

func (p *parsing) name(section *entry) {
	switch {
	case section == nil || section.value.shape == unknown:
	case !section.value.scalar() || strings.TrimSpace(section.value.text) == "":
		p.report.addf(section.value.at, "", "name: expected a text, got %v", section.value)
	default:
		p.job.name = section.value.text
	}
}

func (p *parsing) workers(section *entry) {
	if section == nil || !section.value.given() || section.value.shape == unknown {
		return
	}
	d := &decoder{report: func(at Position, err error) { p.report.add(at, "", err) }}
	d.decode(section.value, reflect.ValueOf(&p.job.workers).Elem(), "workers")
	if d.failures == 0 && p.job.workers < 1 {
		d.expected(section.value, "workers", "1 or more")
	}
}

var errNoNodes = errors.New("a job needs at least one node, under \"nodes\"")

func (p *parsing) nodes(section *entry) {
	entries, ok := mappingOf(section, p.report, "a mapping of node names to their settings")
	if ok && len(entries) == 0 {
		p.report.add(section.at, "", errNoNodes)
	}
	for _, e := range entries {
		p.node(e)
	}
}

// node reads one node. What is wrong with it is reported, and the node kept as
// far as it is known, so that its channels are not missed.
func (p *parsing) node(e entry) {
	if err := checkName(e.key); err != nil {
		p.report.addf(e.at, "", "node name %q: %w", shorten(e.key), err)
		p.portsUnclear = true
		return
	}
	n := &node{name: e.key, at: e.at}
	p.job.nodes = append(p.job.nodes, n)
	fail := func(at Position, err error) { p.report.add(at, n.name, err) }
	d := &decoder{report: fail}
	switch e.value.shape {
	case mapping:
	case unknown:
		p.portsUnclear = true
		return
	default:
		p.portsUnclear = true
		fail(e.value.at, fmt.Errorf("expected a mapping with the kind and settings of the node, got %v", e.value))
		return
	}

	var kind *value
	var settings []entry
	for _, s := range e.value.entries {
		switch s.key {
		case "kind":
			kind = s.value
		case "in":
			n.in = p.channelNames(d, s)
		case "out":
			n.out = p.channelNames(d, s)
		default:
			settings = append(settings, s)
		}
	}
	switch {
	case !kind.given():
		fail(e.at, fmt.Errorf("no kind given; have %s", suggest.List(p.kinds.names())))
		return
	case kind.shape == unknown:
		return
	case !kind.scalar():
		d.expected(kind, "kind", "a text")
		return
	}
	if n.kind = p.kinds.named(kind.text); n.kind == nil {
		fail(kind.at, fmt.Errorf("unknown kind %q%s", shorten(kind.text), instead(kind.text, p.kinds.names())))
		return
	}
	n.step = n.kind.Settings()
	n.places = make(map[string]Position, len(settings))
	for _, s := range settings {
		n.places[s.key] = s.value.at
	}
	d.settings(e.at, settings, n.step, "kind "+n.kind.Name)
	if !p.portsUnclear {
		in := p.countPorts(n, "in", "reads", n.in, n.kind.Reads)
		out := p.countPorts(n, "out", "writes", n.out, n.kind.Writes)
		p.portsUnclear = !in || !out
	}
}

// mappingOf gives the entries of a section that must be a mapping. An absent
// value is an empty one.
func mappingOf(e *entry, r *report, what string) ([]entry, bool) {
	switch e.value.shape {
	case mapping, nothing:
		return e.value.entries, true
	case unknown:
	default:
		r.addf(e.value.at, "", "%s: expected %s, got %v", e.key, what, e.value)
	}
	return nil, false
}

// longestName is the most characters a name in a job may have.
const longestName = 100

// checkName keeps names of nodes and channels such that they can be told apart
// in a message and need no quotes in YAML.
func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("it is empty")
	case utf8.RuneCountInString(name) > longestName:
		return fmt.Errorf("longer than %d characters", longestName)
	}
	for i, r := range name {
		if r != '_' && !unicode.IsLetter(r) && (i == 0 || r != '-' && r != '.' && !unicode.IsDigit(r)) {
			return errors.New("use letters, digits, _, - and ., beginning with a letter")
		}
	}
	return nil
}
