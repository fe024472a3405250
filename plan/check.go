package plan

import (
	"errors"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
)

// Check compares the job with the data: it opens the files that the job reads,
// as far as needed to learn their columns, and follows the columns through the
// nodes. It reads no rows. The error joins [JobError] values; a node whose
// input is unclear because of one is not checked.
//
// Checking is not needed to make a network, but a job that passes is unlikely
// to fail at its last node after an hour.
func (j *Job) Check() error {
	r := &report{file: j.file}
	schemas := make(map[*channel]*arrow.Schema)
	writer := make(map[*channel]*node) // which gave the schema
	unclear := make(map[*channel]bool)
	for _, n := range j.order {
		var in []*arrow.Schema
		known := true
		for _, c := range n.reads {
			known = known && !unclear[c]
			in = append(in, schemas[c])
		}
		var out []*arrow.Schema
		var err error
		if known {
			out, err = n.step.Schema(in)
			addLocated(r, n, n.at, err)
		}
		if ports := n.kind.Writes; len(out) == 1 && ports.Least < ports.Most {
			out = slices.Repeat(out, len(n.writes))
		}
		for i, c := range n.writes {
			switch {
			case !known || err != nil:
				unclear[c] = true
			case i >= len(out) || out[i] == nil:
				r.addf(n.at, n.name, "kind %s gives no schema for channel %q; that is a mistake in the kind", n.kind.Name, c.name)
				unclear[c] = true
			case schemas[c] == nil:
				schemas[c], writer[c] = out[i], n
			default:
				if difference := differ(out[i], schemas[c]); difference != "" {
					r.addf(n.at, n.name, "writes other columns to channel %q than node %q does: %s", c.name, writer[c].name, difference)
					unclear[c] = true
				}
			}
		}
	}
	return r.err()
}

// addLocated reports each error that err joins at the place it brings along,
// otherwise at the given one.
func addLocated(r *report, n *node, at Position, err error) {
	for _, part := range flatten(err) {
		var wrong *wrongAt
		if errors.As(part, &wrong) {
			addLocated(r, n, wrong.at, wrong.err)
			continue
		}
		r.add(n.settingAt(part, at), n.name, part)
	}
}

// differ says how two schemas differ, "" when they do not.
func differ(got, want *arrow.Schema) string {
	for i, f := range got.Fields() {
		if i >= want.NumFields() {
			return fmt.Sprintf("column %q is only in the former", f.Name)
		}
		switch w := want.Field(i); {
		case f.Name != w.Name:
			return fmt.Sprintf("column %d is %q in the former and %q in the latter", i+1, f.Name, w.Name)
		case !arrow.TypeEqual(f.Type, w.Type):
			return fmt.Sprintf("column %q is %v in the former and %v in the latter", f.Name, f.Type, w.Type)
		}
	}
	if got.NumFields() < want.NumFields() {
		return fmt.Sprintf("column %q is only in the latter", want.Field(got.NumFields()).Name)
	}
	return ""
}
