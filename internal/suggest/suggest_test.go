package suggest

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNearestForgivesOneSlipInThreeLetters(t *testing.T) {
	columns := []string{"date", "delay", "distance", "origin", "destination"}
	tests := []struct {
		name, want string
		found      bool
	}{
		{"orign", "origin", true},             // missing
		{"oriigin", "origin", true},           // extra
		{"dealy", "delay", true},              // swapped
		{"origan", "origin", true},            // replaced
		{"Origin", "origin", true},            // case
		{"destinatioon", "destination", true}, // nearer than "distance"
		{"distence", "distance", true},        //
		{"origin", "origin", true},            // itself
		{"carrier", "", false},                // nothing like it
		{"x", "", false},                      // too short to say
		{"", "", false},                       //
		{"departure_delay_min", "", false},    // longer, shares only a part
		{"größe", "", false},                  //
	}
	for _, tt := range tests {
		got, found := Nearest(tt.name, columns)
		if got != tt.want || found != tt.found {
			t.Errorf("Nearest(%q) = %q, %v; want %q, %v", tt.name, got, found, tt.want, tt.found)
		}
	}
}

func TestNearestPrefersTheFirstOfEquals(t *testing.T) {
	if got, _ := Nearest("cax", []string{"cat", "car"}); got != "cat" {
		t.Errorf("got %q, want cat", got)
	}
}

func TestOneLetterNamesAreNotSuggestedForEachOther(t *testing.T) {
	if got, ok := Nearest("x", []string{"y"}); ok {
		t.Errorf("suggested %q", got)
	}
	if got, ok := Nearest("X", []string{"x"}); !ok || got != "x" {
		t.Errorf("got %q, %v; want x: only the case differs", got, ok)
	}
}

func TestPhraseSaysWhatToDo(t *testing.T) {
	many := strings.Split("a1 b2 c3 d4 e5 f6 g7 h8 i9 j10 k11 l12 m13 n14", " ")
	tests := []struct {
		name string
		have []string
		want string
	}{
		{"orign", []string{"delay", "origin"}, `; did you mean "origin"?`},
		{"carrier", []string{"delay", "origin"}, "; have delay, origin"},
		{"carrier", nil, ""},
		{"carrier", []string{"delay", "air time", "a\nb", "\x1b[2J", "", "a,b", "größe", "\xff"},
			`; have delay, "air time", "a\nb", "\x1b[2J", "", "a,b", größe, "\xff"`},
		{"carrier", many, "; have a1, b2, c3, d4, e5, f6, g7, h8, i9, j10, k11, l12 and 2 more"},
	}
	for _, tt := range tests {
		if got := Phrase(tt.name, tt.have); got != tt.want {
			t.Errorf("Phrase(%q, %v) = %q, want %q", tt.name, tt.have, got, tt.want)
		}
	}
}

func TestDistanceCountsSlips(t *testing.T) {
	tests := []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"ab", "ba", 1}, {"abcd", "acbd", 1},
		{"kitten", "sitting", 3}, {"ca", "abc", 3}, {"größe", "grösse", 2},
	}
	for _, tt := range tests {
		if got := distance([]rune(tt.a), []rune(tt.b)); got != tt.want {
			t.Errorf("distance(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestDistanceIsSymmetricAndBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := []rune(rapid.StringMatching(`[abc]{0,8}`).Draw(t, "a"))
		b := []rune(rapid.StringMatching(`[abc]{0,8}`).Draw(t, "b"))
		d := distance(a, b)
		if back := distance(b, a); back != d {
			t.Fatalf("distance(a,b) = %d, distance(b,a) = %d", d, back)
		}
		if d > max(len(a), len(b)) || (d == 0) != (string(a) == string(b)) {
			t.Fatalf("distance %d", d)
		}
	})
}
