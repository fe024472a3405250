package expr

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
)

func TestOnlySomeOperandsOfAndAreLeft(t *testing.T) {
	for _, c := range []struct{ expr, keep, want string }{
		{"i > 1 and (b and f < 2) and s = 'x'", "b f", "b | f < 2"},
		{"i > 1 and (b and f < 2) and s = 'x'", "i s", "i > 1 | s = 'x'"},
		{"i > f", "i", ""},
		{"i > f", "i f", "i > f"},
		{"i > 1 or f > 1 and b", "i f b", "i > 1 or f > 1 and b"},
		{"not (i > 1 and b)", "i b", "not (i > 1 and b)"},
		{"null and i > 1", "b", "null"},
		{"i between 1 and 2 and f > 2", "i", "i between 1 and 2"},
	} {
		left := MustParse(c.expr).Only(func(columns []string) bool {
			return !slices.ContainsFunc(columns, func(name string) bool { return !slices.Contains(strings.Fields(c.keep), name) })
		})
		var parts []string
		var collect func(syntax)
		collect = func(s syntax) {
			if and, ok := s.(infix); ok {
				collect(and.x)
				collect(and.y)
				return
			}
			parts = append(parts, string([]rune(c.expr)[s.at().from:s.at().to]))
		}
		if left != nil {
			collect(left.tree)
			if p, err := left.Compile(sampleSchema); err != nil || p.Type().ID() != arrow.BOOL {
				t.Errorf("%s: %v", c.expr, err)
			}
		}
		if got := strings.Join(parts, " | "); got != c.want {
			t.Errorf("%s: got %s, want %s", c.expr, got, c.want)
		}
	}
}

func TestErrorsOfAPartTellTheirPlaceInTheWhole(t *testing.T) {
	part := MustParse("f > 1 and i // 0 = 1").Only(func(columns []string) bool { return columns[0] == "i" })
	p, err := part.Compile(sampleSchema)
	if err != nil {
		t.Fatal(err)
	}
	batch := sampleBatch(t)
	_, err = p.NewEvaluator().Select(batch, nil)
	var row *RowError
	if !errors.As(err, &row) || row.Offset != 10 || row.Part != "i // 0" {
		t.Errorf("%v", err)
	}
}
