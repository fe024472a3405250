package expr

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Texts are calculated once: what is beyond the memory for that, twice.
func TestTextsAreCalculatedOnceAsFarAsTheyAreKept(t *testing.T) {
	for _, c := range []struct {
		rows, each int // bytes of text
		strips     int // that are calculated
	}{
		{0, 1, 0},
		{1, 1, 1},
		{3 * stripRows, 1, 3},
		{3*stripRows + 1, 300, 4},
		{4 * stripRows, keptText/(2*stripRows) - 8, 4 + 2},
		{4*stripRows + 5, keptText / stripRows, 5 + 5},
	} {
		batch := late(c.rows, c.rows/2)
		p, err := Compile("'"+strings.Repeat("-", c.each)+"' || cast(x as text)", batch.Schema())
		if err != nil {
			t.Fatal(err)
		}
		e := p.NewEvaluator()
		for _, asked := range []bool{true, false, true} {
			before := e.strip
			if asked {
				if _, err := e.Bytes(batch); err != nil {
					t.Fatal(err)
				}
			}
			a, err := e.Eval(batch, memory.DefaultAllocator)
			if err != nil {
				t.Fatal(err)
			}
			want := make([]string, c.rows)
			for i := range want {
				if want[i] = strings.Repeat("-", c.each) + fmt.Sprint(i); i == c.rows/2 {
					want[i] = "null"
				}
			}
			if got := texts(a); !slices.Equal(got, want) {
				t.Errorf("%+v, asked %v: other texts", c, asked)
			}
			if got := e.strip - before; got != c.strips {
				t.Errorf("%+v, asked %v: calculated %d strips", c, asked, got)
			}
			if kept := cap(e.measured.text) + 4*cap(e.measured.ends); kept > 2*keptText {
				t.Errorf("%+v: %d bytes are kept", c, kept)
			}
		}
	}
}
