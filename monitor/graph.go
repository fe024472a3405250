// Package monitor shows a network to people, and what devices did. Networks are shown
// from a [sluice.Snapshot], which can be taken at any time and needs no cooperation
// from the nodes; a [Timeline] is told by the devices.
package monitor

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/seed14ed4225/sluice"
)

// Mermaid draws the network as a Mermaid flowchart, the notation that GitHub
// and many editors render in Markdown. Nodes are boxes and channels labelled
// arrows from writer to reader; a channel that has several of either, or none,
// is a small round box of its own, so that no arrow is drawn twice. Channels
// with more than one slot say how many.
func Mermaid(s sluice.Snapshot) string {
	var b strings.Builder
	if s.Network != "" {
		// The header is YAML, and a JSON string is a YAML string.
		title, _ := json.Marshal(s.Network)
		fmt.Fprintf(&b, "---\ntitle: %s\n---\n", title)
	}
	b.WriteString("flowchart LR\n")
	g := graphOf(s)
	for i, name := range g.nodes {
		fmt.Fprintf(&b, "  n%d[\"%s\"]\n", i, mermaidText(name))
	}
	for i, c := range g.channels {
		if from, to, ok := c.arrow(); ok {
			fmt.Fprintf(&b, "  n%d -->|\"%s\"| n%d\n", from, mermaidText(c.label), to)
			continue
		}
		fmt.Fprintf(&b, "  c%d([\"%s\"])\n", i, mermaidText(c.label))
		for _, from := range c.writers {
			fmt.Fprintf(&b, "  n%d --> c%d\n", from, i)
		}
		for _, to := range c.readers {
			fmt.Fprintf(&b, "  c%d --> n%d\n", i, to)
		}
	}
	return b.String()
}

// DOT draws the network in the language of Graphviz, as Mermaid does.
func DOT(s sluice.Snapshot) string {
	var b strings.Builder
	fmt.Fprintf(&b, "digraph %s {\n  rankdir=LR\n  node [shape=box]\n", dotText(s.Network))
	g := graphOf(s)
	for i, name := range g.nodes {
		fmt.Fprintf(&b, "  n%d [label=%s]\n", i, dotText(name))
	}
	for i, c := range g.channels {
		if from, to, ok := c.arrow(); ok {
			fmt.Fprintf(&b, "  n%d -> n%d [label=%s]\n", from, to, dotText(c.label))
			continue
		}
		fmt.Fprintf(&b, "  c%d [label=%s shape=box style=rounded]\n", i, dotText(c.label))
		for _, from := range c.writers {
			fmt.Fprintf(&b, "  n%d -> c%d\n", from, i)
		}
		for _, to := range c.readers {
			fmt.Fprintf(&b, "  c%d -> n%d\n", i, to)
		}
	}
	b.WriteString("}\n")
	return b.String()
}

// A graph is a snapshot with numbers in place of names, which may hold any
// character and do not make good identifiers.
type graph struct {
	nodes    []string
	channels []*edge
}

type edge struct {
	label            string
	writers, readers []int
}

// arrow says whether the channel joins just two nodes, and which.
func (e *edge) arrow() (from, to int, ok bool) {
	if len(e.writers) != 1 || len(e.readers) != 1 {
		return 0, 0, false
	}
	return e.writers[0], e.readers[0], true
}

func graphOf(s sluice.Snapshot) graph {
	var g graph
	byName := make(map[string]*edge, len(s.Channels))
	for _, c := range s.Channels {
		e := &edge{label: c.Name}
		if c.Slots > 1 {
			e.label = fmt.Sprintf("%s (%d slots)", c.Name, c.Slots)
		}
		byName[c.Name] = e
		g.channels = append(g.channels, e)
	}
	for i, n := range s.Nodes {
		g.nodes = append(g.nodes, n.Name)
		for _, name := range n.Writes {
			if e := byName[name]; e != nil {
				e.writers = append(e.writers, i)
			}
		}
		for _, name := range n.Reads {
			if e := byName[name]; e != nil {
				e.readers = append(e.readers, i)
			}
		}
	}
	return g
}

// mermaidText escapes what would end a quoted label, or be taken for an
// entity, markup or Markdown in it.
func mermaidText(s string) string {
	return mermaidEscapes.Replace(oneLine(s))
}

var mermaidEscapes = strings.NewReplacer(
	`"`, "#quot;", "#", "#35;", "&", "#amp;", "<", "#lt;", ">", "#gt;", "`", "#96;", `\`, "#92;")

// dotText quotes s. Backslashes are doubled, because in labels \N and its like
// are replaced.
func dotText(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(oneLine(s)) + `"`
}

// oneLine keeps a name with line breaks from breaking the drawing.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }), " ")
}
