package plan

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/seed14ed4225/sluice/internal/size"
)

// LargestJob is the most bytes that the text of a job may have. The YAML
// parser's time and memory grow with the square of a document's depth and of
// the number of keys in one mapping; this and a bound on the depth keep both
// small, whatever the text is.
const LargestJob = 256 << 10

// deepestJob is how many levels of nesting there may be; a job needs about five.
const deepestJob = 32

// parseYAML turns text into a tree. It reports what is wrong and returns nil if
// there is no tree at all.
func parseYAML(src []byte, r *report) (root *value) {
	start := Position{1, 1}
	src = bytes.TrimPrefix(src, []byte("\uFEFF"))
	switch {
	case len(src) > LargestJob:
		r.addf(start, "", "not a job: it is larger than %v", size.Size(LargestJob))
		return nil
	case !utf8.Valid(src):
		r.addf(start, "", "not a YAML file: it is not UTF-8 text")
		return nil
	}
	// The parser must not be able to bring the process down.
	defer func() {
		if caught := recover(); caught != nil {
			r.addf(start, "", "not valid YAML: %v", caught)
			root = nil
		}
	}()

	tokens := lexer.Tokenize(string(src))
	if !supported(tokens, r) {
		return nil
	}
	// Duplicates are allowed here to be reported below, all at once.
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		r.add(syntaxError(err, src))
		return nil
	}
	if len(file.Docs) > 1 {
		at := start
		if next := file.Docs[1]; next.Start != nil {
			at = positionOf(next.Start)
		}
		r.addf(at, "", "a file holds one job: remove the second document")
		return nil
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return &value{at: start}
	}
	c := converter{lines: strings.Split(string(src), "\n"), report: r}
	return c.value(file.Docs[0].Body)
}

// supported refuses the parts of YAML that a job has no use for, and nesting
// that would cost the parser too much.
func supported(tokens token.Tokens, r *report) bool {
	const useParameter = "a job takes no YAML %s; write a parameter and ${name} instead"
	var (
		before = len(r.found)
		flow   int   // open [ and {
		blocks []int // columns of the block nodes that enclose the token
		line   int
	)
	for _, t := range tokens {
		if t.Position == nil {
			continue
		}
		at := positionOf(t)
		switch t.Type {
		case token.AnchorType:
			r.addf(at, "", useParameter, "anchors (&name)")
		case token.AliasType:
			r.addf(at, "", useParameter+", or quote a text that begins with *", "aliases (*name)")
		case token.MergeKeyType:
			r.addf(at, "", useParameter, "merge keys (<<)")
		case token.TagType:
			r.addf(at, "", "a job takes no YAML tags; quote a text that begins with !")
		case token.DirectiveType:
			r.addf(at, "", "a job takes no YAML directives; remove the line")
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow = max(flow-1, 0)
		}
		nested := t.Type == token.SequenceEntryType || t.Type == token.MappingKeyType
		if flow == 0 && (t.Position.Line != line || nested) {
			for len(blocks) > 0 && blocks[len(blocks)-1] >= t.Position.Column {
				blocks = blocks[:len(blocks)-1]
			}
			blocks = append(blocks, t.Position.Column)
		}
		line = t.Position.Line
		if flow+len(blocks) > deepestJob {
			r.addf(at, "", "nested more than %d levels deep", deepestJob)
			break
		}
	}
	return len(r.found) == before
}

// syntaxError gives a parser's error as arguments of report.add.
func syntaxError(err error, src []byte) (Position, string, error) {
	at, message := Position{1, 1}, err.Error()
	var syntax yaml.Error
	if errors.As(err, &syntax) {
		message = syntax.GetMessage()
		if t := syntax.GetToken(); t != nil && t.Position != nil {
			at = positionOf(t)
		}
	}
	message, _, _ = strings.Cut(message, "\n")
	line := ""
	if lines := strings.Split(string(src), "\n"); at.Line <= len(lines) {
		line = lines[at.Line-1]
	}
	return at, "", fmt.Errorf("not valid YAML: %s%s", message, yamlAdvice(message, line))
}

// yamlAdvice is what most likely mends a line that is not YAML.
func yamlAdvice(message, line string) string {
	const flow = "; inside { } and [ ] quote "
	inFlow := strings.Contains(message, "must be specified") || strings.Contains(message, "flow map")
	before, _, parameter := strings.Cut(line, "${")
	bare := strings.Count(before, `"`)%2 == 0 && strings.Count(before, "'")%2 == 0
	switch {
	case inFlow && parameter && bare:
		// In {a: ${x}} the brace ends the text for YAML, which says something about commas.
		return flow + `a parameter: "${name}"`
	case inFlow:
		return flow + "a text that has a comma, a colon or a brace"
	case strings.Contains(message, "'\t'"):
		return "; indent with spaces"
	case strings.Contains(message, "reserved character"):
		return "; quote a text that begins with it"
	default:
		return ""
	}
}

func positionOf(t *token.Token) Position {
	return Position{max(t.Position.Line, 1), max(t.Position.Column, 1)}
}

type converter struct {
	lines  []string
	report *report
}

func (c *converter) value(n ast.Node) *value {
	switch n := n.(type) {
	case nil:
		return &value{at: Position{1, 1}}
	case *ast.MappingNode:
		return c.mapping(n, n.Values)
	case *ast.MappingValueNode:
		return c.mapping(n, []*ast.MappingValueNode{n})
	case *ast.SequenceNode:
		v := &value{at: positionOf(n.GetToken()), shape: list}
		for _, item := range n.Values {
			v.items = append(v.items, c.value(item))
		}
		if n.IsFlowStyle {
			c.cutList(v, n.Values)
		}
		return v
	case *ast.LiteralNode:
		v := &value{at: positionOf(n.GetToken()), shape: text}
		if n.Value != nil {
			v.text = n.Value.Value
			v.origin = c.find(v.text, Position{v.at.Line, longestLine + 1}, 0) // begins on the next line
		}
		return v
	case ast.ScalarNode:
		return c.scalar(n.GetToken())
	}
	t := n.GetToken()
	c.report.addf(positionOf(t), "", "a job takes no YAML %s", strings.ToLower(n.Type().YAMLName()))
	return &value{at: positionOf(t), shape: unknown}
}

func (c *converter) mapping(n ast.Node, pairs []*ast.MappingValueNode) *value {
	v := &value{at: positionOf(n.GetToken()), shape: mapping}
	first := make(map[string]Position, len(pairs))
	kept := make([]*ast.MappingValueNode, 0, len(pairs))
	for _, pair := range pairs {
		t := pair.Key.GetToken()
		at := positionOf(t)
		if _, complex := pair.Key.(*ast.MappingKeyNode); complex {
			c.report.addf(at, "", "a job takes no YAML complex keys; write key: value")
			return &value{at: at, shape: unknown}
		}
		if before, twice := first[t.Value]; twice {
			c.report.addf(at, "", "%q is here a second time; it is already at line %d", shorten(t.Value), before.Line)
			continue
		}
		first[t.Value] = at
		e := entry{at: at, key: t.Value, value: c.value(pair.Value)}
		if e.value.shape == nothing {
			e.value.at = at // an absent value has no place of its own
		}
		v.entries = append(v.entries, e)
		kept = append(kept, pair)
	}
	if n.GetToken().Type == token.MappingStartType {
		c.cutMapping(v, kept)
	} else if len(v.entries) > 0 {
		v.at = v.entries[0].at // the token of a block mapping is its first colon
	}
	return v
}

func (c *converter) scalar(t *token.Token) *value {
	var v *value
	var quote rune
	switch t.Type {
	case token.SingleQuoteType:
		v, quote = &value{shape: text, text: t.Value}, '\''
	case token.DoubleQuoteType:
		v, quote = &value{shape: text, text: t.Value}, '"'
	case token.ImplicitNullType:
		v = &value{}
	default:
		v = plain(t.Value)
	}
	v.at = positionOf(t)
	if v.shape == text {
		begin := v.at
		if quote != 0 {
			begin.Column++
		}
		v.origin = c.find(v.text, begin, quote)
	}
	return v
}
