package expr

import (
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
)

// aText checks that an argument is text.
func (b *binder) aText(what string, n node) node {
	switch i := n.base(); classOf(i.typ) {
	case classText:
		return n
	case classNull:
		return b.to(n, arrow.BinaryTypes.String)
	default:
		b.failType(n, "%s wants text, not %s, which is %s; cast(%s as text) makes it one", what, b.text(i.span), nameOf(i.typ), b.text(i.span))
		return nil
	}
}

// aWhole checks that an argument is a whole number.
func (b *binder) aWhole(what string, n node) node {
	i := n.base()
	if c := classOf(i.typ); c != classInt && c != classNull {
		b.failType(n, "%s wants a whole number, not %s, which is %s", what, b.text(i.span), nameOf(i.typ))
	}
	return b.to(n, arrow.PrimitiveTypes.Int64)
}

// mapText makes a text of each text.
func (b *binder) mapText(at span, name string, x node, do func(e *Evaluator, s string) string) node {
	return &apply{info: newInfo(at, arrow.BinaryTypes.String, b.aText(name, x)), run: func(e *Evaluator, out *register, args []*vector, n int) bool {
		x := args[0].texts[:n]
		for i := range x {
			out.texts[i] = ""
			if holds(out.valid, i) {
				out.texts[i] = do(e, x[i])
			}
		}
		return false
	}}
}

func lowerText(e *Evaluator, s string) string {
	return e.mapped(s, 'A', 'Z', 'a'-'A', strings.ToLower)
}

func upperText(e *Evaluator, s string) string {
	return e.mapped(s, 'a', 'z', 'A'-'a', strings.ToUpper)
}

// mapped moves the letters between from and to, or, if there are letters beyond ASCII, does other.
func (e *Evaluator) mapped(s string, from, to byte, by int, other func(string) string) string {
	move := false
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return other(s)
		}
		move = move || s[i] >= from && s[i] <= to
	}
	if !move {
		return s
	}
	begin := len(e.arena)
	e.arena = append(e.arena, s...)
	moved := e.arena[begin:]
	for i, c := range moved {
		if c >= from && c <= to {
			moved[i] = byte(int(c) + by)
		}
	}
	return aliasText(moved)
}

func (b *binder) length(at span, x node) node {
	count := utf8.RuneCountInString
	if classOf(x.base().typ) == classBinary {
		count = func(s string) int { return len(s) }
	} else {
		x = b.aText("length", x)
	}
	return &apply{info: newInfo(at, arrow.PrimitiveTypes.Int64, x), run: func(_ *Evaluator, out *register, args []*vector, n int) bool {
		for i, s := range args[0].texts[:n] {
			out.ints[i] = int64(count(s))
		}
		return false
	}}
}

// substring is substring(x, from) and substring(x, from, n), in characters from 1.
func (b *binder) substring(at span, args []node) node {
	args[0] = b.aText("substring", args[0])
	for i := range args[1:] {
		args[1+i] = b.aWhole("substring", args[1+i])
	}
	return &apply{info: newInfo(at, arrow.BinaryTypes.String, args...), run: func(_ *Evaluator, out *register, args []*vector, n int) bool {
		for i, s := range args[0].texts[:n] {
			from, until := args[1].ints[i], int64(1<<63-1)
			if len(args) == 3 {
				if until = from + args[2].ints[i]; until < from && args[2].ints[i] > 0 {
					until = 1<<63 - 1
				}
				if args[2].ints[i] <= 0 {
					until = from
				}
			}
			out.texts[i] = characters(s, from, until)
		}
		return false
	}}
}

// characters returns those from a number on and before another, the first being 1.
func characters(s string, from, until int64) string {
	begin, at := len(s), int64(1)
	if from <= 1 {
		begin = 0
	}
	for i := range s {
		if at == from {
			begin = i
		}
		if at == until {
			return s[min(begin, i):i]
		}
		at++
	}
	if until <= 1 {
		return ""
	}
	return s[begin:]
}

// replace is replace(x, part, by): each part of x in turn by another text. A part without characters is nowhere.
func (b *binder) replace(at span, args []node) node {
	for i := range args {
		args[i] = b.aText("replace", args[i])
	}
	return &apply{info: newInfo(at, arrow.BinaryTypes.String, args...), run: func(e *Evaluator, out *register, args []*vector, n int) bool {
		for i, s := range args[0].texts[:n] {
			out.texts[i] = ""
			if holds(out.valid, i) {
				out.texts[i] = e.replaced(s, args[1].texts[i], args[2].texts[i])
			}
		}
		return false
	}}
}

func (e *Evaluator) replaced(s, part, by string) string {
	at := strings.Index(s, part)
	if at < 0 || part == "" {
		return s
	}
	begin := len(e.arena)
	for ; at >= 0; at = strings.Index(s, part) {
		e.arena = append(append(e.arena, s[:at]...), by...)
		s = s[at+len(part):]
	}
	e.arena = append(e.arena, s...)
	return aliasText(e.arena[begin:])
}

// textTest is a question about two texts.
func (b *binder) textTest(at span, name string, x, y node, test func(s, t string) bool) node {
	x, y = b.aText(name, x), b.aText(name, y)
	return &apply{info: newInfo(at, arrow.FixedWidthTypes.Boolean, x, y), run: func(_ *Evaluator, out *register, args []*vector, n int) bool {
		clear(out.bits)
		x, y := args[0].texts[:n], args[1].texts[:n]
		for i := range x {
			if test(x[i], y[i]) {
				setBit(out.bits, i)
			}
		}
		return false
	}}
}

// A joined is x || y, or of more texts if x is one, too.
type joined struct{ *apply }

func (b *binder) concat(at span, x, y node) node {
	var parts []node
	for _, n := range []node{b.aText("||", x), b.aText("||", y)} {
		if j, ok := n.(joined); ok {
			parts = append(parts, j.args...)
		} else {
			parts = append(parts, n)
		}
	}
	return joined{&apply{info: newInfo(at, arrow.BinaryTypes.String, parts...), run: joinTexts}}
}

func joinTexts(e *Evaluator, out *register, args []*vector, n int) bool {
	arena, first := e.arena, len(e.arena)
	for row := range n {
		out.texts[row] = ""
		if !holds(out.valid, row) {
			continue
		}
		begin := len(arena)
		for _, x := range args {
			arena = append(arena, x.texts[row]...)
		}
		out.texts[row] = aliasText(arena[begin:])
	}
	e.arena, out.packed = arena, aliasText(arena[first:])
	return false
}

// A concatenation leaves nulls out, and is never null.
type concatenation struct{ info }

func (b *binder) concatAll(at span, args []node) node {
	for i := range args {
		if classOf(args[i].base().typ) != classText && classOf(args[i].base().typ) != classNull {
			args[i] = b.fold(b.convert(args[i].base().span, args[i], arrow.BinaryTypes.String, false))
		}
		args[i] = b.aText("concat", args[i])
	}
	return &concatenation{newInfo(at, arrow.BinaryTypes.String, args...)}
}

func (c *concatenation) eval(e *Evaluator, active []uint64) *vector {
	args := e.evalAll(c.args, active)
	out := e.begin(&c.info)
	arena, first := e.arena, len(e.arena)
	for row := range e.rows {
		begin := len(arena)
		for _, x := range args {
			if holds(x.valid, row) {
				arena = append(arena, x.texts[row]...)
			}
		}
		out.texts[row] = aliasText(arena[begin:])
	}
	e.arena, out.packed = arena, aliasText(arena[first:])
	e.done(args)
	return &out.vector
}

func trimText(_ *Evaluator, s string) string { return strings.Trim(s, " ") }

func trimLeft(_ *Evaluator, s string) string { return strings.TrimLeft(s, " ") }

func trimRight(_ *Evaluator, s string) string { return strings.TrimRight(s, " ") }
