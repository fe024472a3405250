package plan

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// builtin are the parameters that every job has.
func builtin(jobDir string) []*parameter {
	return []*parameter{
		{name: "job_dir", builtin: "the folder of the job file", resolved: &value{shape: text, text: jobDir}},
		{name: "temp_dir", builtin: "the system's folder for temporary files", resolved: &value{shape: text, text: os.TempDir()}},
	}
}

// mostExpanded bounds what parameters that use parameters can grow to, in
// bytes of text and values together.
const mostExpanded = 4 << 20

var parameterPattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

type parameter struct {
	name     string
	at       Position
	builtin  string  // what it stands for, if every job has it
	fallback *value  // what the job says; its shape is nothing when it says nothing
	given    *string // what the caller says, which wins
	used     bool
	resolved *value
	pending  bool // being resolved: meeting it again is a circle
}

// parameters puts values in place of ${name}.
type parameters struct {
	byName map[string]*parameter
	names  []string // in the order of the job
	report *report
	spent  int
	missed bool // the job uses a parameter that there is none of
}

// newParameters reads the params section of a job, nil if it has none, and
// what the caller gave for them.
func newParameters(section *entry, given map[string]string, dir string, r *report) *parameters {
	ps := &parameters{byName: make(map[string]*parameter), report: r}
	for _, p := range builtin(dir) {
		ps.define(p)
	}
	always := len(ps.names)
	at := Position{1, 1}
	if section != nil {
		at = section.at
		if entries, ok := mappingOf(section, r, "a mapping of parameter names to their defaults"); ok {
			for _, e := range entries {
				ps.declare(e)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		text := given[name]
		p, known := ps.byName[name]
		switch {
		case !known:
			r.addf(at, "", "unknown parameter %q given%s", shorten(name), instead(name, ps.names[always:]))
		case p.builtin != "":
			r.addf(at, "", "parameter %q is %s and cannot be given", name, p.builtin)
		default:
			p.given = &text
		}
	}
	for _, name := range ps.names {
		if p := ps.byName[name]; p.resolved == nil && p.given == nil && p.fallback.shape == nothing {
			r.addf(p.at, "", "parameter %q has no default and must be given: -p %s=VALUE", name, name)
			p.resolved = &value{at: p.at, shape: unknown}
		}
	}
	return ps
}

func (ps *parameters) declare(e entry) {
	known := ps.byName[e.key]
	switch {
	case known != nil && known.builtin != "":
		ps.report.addf(e.at, "", "parameter %q is always there, %s; choose another name", e.key, known.builtin)
	case !parameterPattern.MatchString(e.key):
		ps.report.addf(e.at, "", "parameter name %q: use letters, digits, _ and -, beginning with a letter", shorten(e.key))
	case len(e.key) > longestName:
		ps.report.addf(e.at, "", "parameter name %q is longer than %d characters", shorten(e.key), longestName)
	default:
		ps.define(&parameter{name: e.key, at: e.at, fallback: e.value})
	}
}

func (ps *parameters) define(p *parameter) {
	ps.byName[p.name] = p
	ps.names = append(ps.names, p.name)
}

// finish is called when the whole job is expanded. It complains about
// parameters that were given for nothing, since whoever gave them believes
// that they matter, unless it is a misspelt one that should use them; and about defaults that are wrong but not used.
func (ps *parameters) finish() {
	for _, name := range ps.names {
		p := ps.byName[name]
		switch {
		case p.given != nil && !p.used && !ps.missed:
			ps.report.addf(p.at, "", "parameter %q was given, but nothing in the job uses it", name)
		case p.given == nil && p.resolved == nil:
			p.resolved = ps.expand(p.fallback)
		}
	}
}

// expand returns v with every parameter in it replaced. What cannot be is
// reported, and unknown in the result.
func (ps *parameters) expand(v *value) *value {
	switch v.shape {
	case list:
		expanded := *v
		expanded.items = make([]*value, len(v.items))
		for i, item := range v.items {
			expanded.items[i] = ps.expand(item)
		}
		return &expanded
	case mapping:
		expanded := *v
		expanded.entries = make([]entry, len(v.entries))
		for i, e := range v.entries {
			e.value = ps.expand(e.value)
			expanded.entries[i] = e
		}
		return &expanded
	case text:
		if strings.Contains(v.text, "${") {
			return ps.expandText(v)
		}
	}
	return v
}

// expandText replaces the parameters of one scalar. A parameter that is all
// there is keeps its type: ${top} may be a number, ${files} a list.
func (ps *parameters) expandText(v *value) *value {
	unknownHere := &value{at: v.at, shape: unknown}
	var (
		out   spliced
		last  string // the latest parameter put in
		rest  = v.text
		plain = true // no parameter put in yet
	)
	for {
		from := utf8.RuneCountInString(v.text) - utf8.RuneCountInString(rest)
		before, after, found := strings.Cut(rest, "${")
		if !found {
			out.write(rest, v.origin, from)
			break
		}
		if escaped, ok := strings.CutSuffix(before, "$"); ok {
			out.write(escaped, v.origin, from)
			out.write("${", v.origin, from+utf8.RuneCountInString(before))
			rest = after
			continue
		}
		name, tail, closed := strings.Cut(after, "}")
		if !closed || !parameterPattern.MatchString(name) {
			ps.report.addf(v.at, "", "%s: expected ${name} with the name of a parameter; for a literal ${ write $${", v)
			return unknownHere
		}
		p, known := ps.byName[name]
		if !known {
			ps.missed = true
			ps.report.addf(v.at, "", "unknown parameter %q%s", shorten(name), instead(name, ps.names))
			return unknownHere
		}
		whole := v.text == "${"+name+"}"
		part, err := ps.resolve(p, whole)
		if err != nil {
			ps.report.add(v.at, "", err)
			return unknownHere
		}
		if part.shape == unknown {
			return unknownHere
		}
		if whole {
			return ps.placed(part, v.at, name)
		}
		if !part.scalar() {
			ps.report.addf(v.at, "", "parameter %q is %s; only a single value fits into a longer text", name, part)
			return unknownHere
		}
		out.write(before, v.origin, from)
		out.insert(part.text, v.origin, from+utf8.RuneCountInString(before))
		if !ps.afford(out.text.Len(), v.at) {
			return unknownHere
		}
		rest, last, plain = tail, name, false
	}
	expanded := *v
	expanded.text, expanded.origin = out.text.String(), out.origin
	if !plain {
		expanded.parameter = last
	}
	return &expanded
}

// resolve gives a parameter's value. One that the caller gave is YAML where it
// is a whole value, and plain text as part of a longer one.
func (ps *parameters) resolve(p *parameter, whole bool) (*value, error) {
	p.used = true
	if p.given != nil && !whole {
		return &value{shape: text, text: *p.given}, nil
	}
	if p.resolved != nil {
		return p.resolved, nil
	}
	if p.pending {
		return nil, fmt.Errorf("parameter %q is made of itself", p.name)
	}
	p.pending = true
	defer func() { p.pending = false }()
	if p.given == nil {
		p.resolved = ps.expand(p.fallback)
		return p.resolved, nil
	}
	given, err := parseGiven(*p.given)
	if err != nil {
		// Reported once, where the parameter is declared.
		ps.report.addf(p.at, "", "parameter %q was given as %q: %w", p.name, shorten(*p.given), err)
		given = &value{shape: unknown}
	}
	p.resolved = given
	return given, nil
}

// parseGiven reads a value from the command line: a list, a mapping or a quoted
// text as YAML has them, otherwise a plain scalar. Most that is odd in YAML
// (colons, #, * of a glob) is nothing special in it.
func parseGiven(given string) (*value, error) {
	if given == "" {
		return &value{shape: text}, nil
	}
	if !strings.ContainsAny(given[:1], `[{"'`) {
		return plain(given), nil
	}
	var r report
	v := parseYAML([]byte(given), &r)
	if len(r.found) > 0 {
		return nil, r.found[0].Err
	}
	if v == nil || v.shape == nothing {
		return nil, errors.New("no value in it")
	}
	return v, nil
}

// placed returns a copy of a parameter's value as if it stood at the place
// where the parameter is used.
func (ps *parameters) placed(v *value, at Position, name string) *value {
	if !ps.afford(1+len(v.text), at) {
		return &value{at: at, shape: unknown}
	}
	moved := *v
	moved.at, moved.origin, moved.parameter = at, nil, name
	moved.items, moved.entries = nil, nil
	for _, item := range v.items {
		moved.items = append(moved.items, ps.placed(item, at, name))
	}
	for _, e := range v.entries {
		moved.entries = append(moved.entries, entry{at: at, key: e.key, value: ps.placed(e.value, at, name)})
	}
	return &moved
}

// afford counts what expanding has made so far, and says when it is too much.
func (ps *parameters) afford(more int, at Position) bool {
	within := ps.spent <= mostExpanded
	ps.spent += more
	if within && ps.spent > mostExpanded {
		ps.report.addf(at, "", "the parameters expand to more than %d bytes", mostExpanded)
	}
	return ps.spent <= mostExpanded
}
