package expr

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

func TestColumnsAreThoseThatAreRead(t *testing.T) {
	e := MustParse("if(i > 1, `day of` in ('2001-01-01', null), s like 'x') and not (i is null) and cast(u as text) = 'a' or case b when f between 1 and f32 then 1 end = 1")
	if got, want := e.Columns(), []string{"i", "day of", "s", "u", "b", "f", "f32"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	p, err := Compile("f + i * f", sampleSchema)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Columns(); !slices.Equal(got, []int{3, 0}) {
		t.Errorf("got %v", got)
	}
}

func TestConjunctsHoldWhereTheConditionDoes(t *testing.T) {
	for _, c := range []struct{ expr, want string }{
		{"i > 6.5", "[{0 > 6}]"},
		{"i >= 6.5 and 100 > i8", "[{0 > 6} {1 < 100}]"},
		{"i8 < 300 and i8 <> 0.5", "[]"},
		{"i8 > 300", "[{1 < -128}]"},
		{"i8 = 0.5 and u = -1", "[{1 < -128} {2 < 0}]"},
		{"price > 10.255", "[{6 > {{1025 0} 2}}]"},
		{"price = 10.255", "[{6 < {{17759344522308878337 -5421010862427522171} 2}}]"},
		{"i = 1 or i = 2", "[]"},
		{"not (i = 1)", "[]"},
		{"i + 1 > 2", "[]"},
		{"i > i8", "[]"},
		{"i = null", "[]"},
		{"b and (i < 1 and s = 'x')", "[{0 < 1} {11 = x}]"},
		{"i between 1 and 7", "[{0 >= 1} {0 <= 7}]"},
		{"u is not null and i is null", "[{2 is not null <nil>} {0 is null <nil>}]"},
		{"price >= 10.5", "[{6 >= {{1050 0} 2}}]"},
		{"f < 1 and f32 <> 0.5", "[{3 < 1} {4 <> 0.5}]"},
		{"t > '2001-01-01' and `day of` = date '1970-01-03'", "[{8 > 978307200000000} {7 = 2}]"},
		{"t > timestamp '2001-01-01 00:00:00.123456789'", "[]"},
	} {
		p, err := Compile(c.expr, sampleSchema)
		if err != nil {
			t.Errorf("%s: %v", c.expr, err)
		} else if got := fmt.Sprint(p.Conjuncts()); got != c.want {
			t.Errorf("%s: got %s, want %s", c.expr, got, c.want)
		}
	}
}

func TestSelectWantsACondition(t *testing.T) {
	p, err := Compile("i + 1", sampleSchema)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.NewEvaluator().Select(sampleBatch(t), nil); err == nil || err.Error() != `"i + 1" is int64, not true or false` {
		t.Error(err)
	}
}

// After an error an evaluator is as good as before, and what was selected before is still there.
func TestAnEvaluatorGoesOnAfterAnError(t *testing.T) {
	p, err := Compile("10 // i > 0", sampleSchema)
	if err != nil {
		t.Fatal(err)
	}
	e, batch := p.NewEvaluator(), sampleBatch(t)
	zero := strings.Replace(sample, `"i": 7`, `"i": 0`, 1)
	wrong := batchOf(t, zero)
	into := []uint32{42}
	for range 2 {
		got, err := e.Select(wrong, into)
		if !errors.Is(err, ErrDivisionByZero) || !slices.Equal(got, into) {
			t.Errorf("got %v, %v", got, err)
		}
		if got, err = e.Select(batch, into); err != nil || !slices.Equal(got, []uint32{42, 0}) {
			t.Errorf("got %v, %v", got, err)
		}
	}
}

func TestABatchOfAnotherSchemaIsRefused(t *testing.T) {
	p, err := Compile("i + 1", sampleSchema)
	if err != nil {
		t.Fatal(err)
	}
	other := coded(t, arrow.PrimitiveTypes.Int32, 3)
	if _, err := p.NewEvaluator().Eval(other, memory.DefaultAllocator); err == nil ||
		err.Error() != `"i + 1" was compiled for another schema: column 0 is to be "i" of type int64` {
		t.Error(err)
	}
}

// What a longer expression costs does not depend on how long it is, but on how deep.
func TestLongExpressionsNeedFewRegisters(t *testing.T) {
	p, err := Compile("i"+strings.Repeat(" + i", 2000), sampleSchema)
	if err != nil {
		t.Fatal(err)
	}
	if p.registers > 6 {
		t.Errorf("%d registers", p.registers)
	}
	if got := valuesOf(t, "i"+strings.Repeat(" + i", 2000), sampleBatch(t)); got[0] != "14007" {
		t.Error(got)
	}
}

// The package documentation names every function there is, and no other.
func TestEveryFunctionIsDocumented(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "# Functions")
	section, _, _ = strings.Cut(section, "# Types")
	var documented []string
	for _, line := range strings.Split(section, "\n") {
		left, ok := strings.CutPrefix(line, "//\t")
		if !ok {
			continue
		}
		left, _, _ = strings.Cut(left, "   ")
		left = regexp.MustCompile(`\([^)]*\)`).ReplaceAllString(left, "")
		documented = append(documented, strings.Fields(left)...)
	}
	slices.Sort(documented)
	if !slices.Equal(documented, Functions()) {
		t.Errorf("documented: %v\nthere are:  %v", documented, Functions())
	}
}
