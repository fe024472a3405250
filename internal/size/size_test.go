package size_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/seed14ed4225/sluice/internal/size"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestParseReadsSizesAsPeopleWriteThem(t *testing.T) {
	tests := []struct {
		text string
		want int64
	}{
		{"0", 0},
		{"1024", 1024},
		{"1_000", 1000},
		{"10B", 10},
		{"64MiB", 64 << 20},
		{"64MB", 64e6},
		{"64mib", 64 << 20},
		{"64 MiB", 64 << 20},
		{" 64MiB ", 64 << 20},
		{"1.5GiB", 3 << 29},
		{"1_024KiB", 1 << 20},
		{"2kB", 2000},
		{"0.1GiB", 107374182},
		{"1TB", 1e12},
		{"7.999EiB", 9222219115350168961},
		{"9223372036854775807", math.MaxInt64},
	}
	for _, tt := range tests {
		if got, err := size.Parse(tt.text); got != tt.want || err != nil {
			t.Errorf("Parse(%q) = %d, %v; want %d", tt.text, got, err, tt.want)
		}
	}
}

func TestParseSaysWhatIsWrongWithASize(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", `size "": expected a number and a unit, such as 64MiB`},
		{"MiB", `size "MiB": expected a number and a unit, such as 64MiB`},
		{"-1MiB", `size "-1MiB": a size cannot be negative`},
		{"8EiB", `size "8EiB": too large; the largest is 9223372036854775807B`},
		{"9223372036854775808", `size "9223372036854775808": too large; the largest is 9223372036854775807B`},
		{"64MuB", `size "64MuB": unknown unit "MuB"; did you mean "MiB"?`},
		{"64Mebi", `size "64Mebi": unknown unit "Mebi"; have B, KiB, kB, MiB, MB, GiB, GB, TiB, TB, PiB, PB, EiB and 1 more`},
		{"64M", `size "64M": unit "M" says neither MiB (1048576 bytes) nor MB (1000000 bytes); write one of them`},
		{"1g", `size "1g": unit "g" says neither GiB (1073741824 bytes) nor GB (1000000000 bytes); write one of them`},
		{"1__0", `size "1__0": "1__0" is not a number; write it like 64, 1.5 or 1_000`},
		{"1_", `size "1_": "1_" is not a number; write it like 64, 1.5 or 1_000`},
		{"1_.5", `size "1_.5": "1_.5" is not a number; write it like 64, 1.5 or 1_000`},
		{"1.", `size "1.": "1." is not a number; write it like 64, 1.5 or 1_000`},
		{"1.2.3kB", `size "1.2.3kB": "1.2.3" is not a number; write it like 64, 1.5 or 1_000`},
		{"+1", `size "+1": "+1" is not a number; write it like 64, 1.5 or 1_000`},
		{"1e9", `size "1e9": a size has no exponent; write it with a unit, such as 1GB, or in full`},
		{"1E+9", `size "1E+9": a size has no exponent; write it with a unit, such as 1GB, or in full`},
		{"1.5", `size "1.5": there is no part of a byte; did you mean 1.5MiB or 1.5GiB?`},
	}
	for _, tt := range tests {
		_, err := size.Parse(tt.text)
		if err == nil || err.Error() != tt.want {
			t.Errorf("Parse(%q):\n got %v\nwant %s", tt.text, err, tt.want)
		}
	}
}

func TestFormatIsTheShortestExactSpelling(t *testing.T) {
	tests := []struct {
		n    int64
		want string
	}{
		{0, "0B"},
		{1, "1B"},
		{1000, "1kB"},
		{1024, "1KiB"},
		{1001, "1001B"},
		{1536, "1536B"}, // as short as 1.5KiB, and plainer
		{64 << 20, "64MiB"},
		{64e6, "64MB"},
		{3 << 29, "1.5GiB"},
		{math.MaxInt64, "9223372036854775807B"},
		{-(64 << 20), "-64MiB"},
		{math.MinInt64, "-8EiB"},
	}
	for _, tt := range tests {
		if got := size.Format(tt.n); got != tt.want {
			t.Errorf("Format(%d) = %q, want %q", tt.n, got, tt.want)
		}
	}
}

func TestRoundedIsShortAndReadableIsExactWhereThatIsShort(t *testing.T) {
	tests := []struct {
		n                 int64
		rounded, readable string
	}{
		{0, "0B", "0B"},
		{1, "1B", "1B"},
		{1500, "1.5KiB", "1500B"},
		{1_200_000, "1.1MiB", "1.2MB"},
		{4021357, "3.8MiB", "3.8MiB"},
		{4 << 20, "4MiB", "4MiB"},
		{500 << 10, "500KiB", "500KiB"},
		{1<<20 - 1, "1MiB", "1MiB"},
		{6_300_000, "6MiB", "6.3MB"},
		{-3 << 20, "-3MiB", "-3MiB"},
		{math.MaxInt64, "8EiB", "8EiB"},
	}
	for _, tt := range tests {
		if got := size.Rounded(tt.n); got != tt.rounded {
			t.Errorf("Rounded(%d) = %q, want %q", tt.n, got, tt.rounded)
		}
		if got := size.Readable(tt.n); got != tt.readable {
			t.Errorf("Readable(%d) = %q, want %q", tt.n, got, tt.readable)
		}
	}
}

func TestWhatFormatWritesParseReads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.OneOf(
			rapid.Int64Range(0, math.MaxInt64),
			rapid.Map(rapid.Int64Range(0, 4096), func(n int64) int64 { return n << 20 }),
			rapid.Map(rapid.Int64Range(0, 4096), func(n int64) int64 { return n * 1e6 }),
		).Draw(t, "n")
		if back, err := size.Parse(size.Format(n)); back != n || err != nil {
			t.Fatalf("Parse(Format(%d)) = Parse(%q) = %d, %v", n, size.Format(n), back, err)
		}
	})
}

func TestSizeTravelsAsText(t *testing.T) {
	var limits struct{ Memory size.Size }
	if err := json.Unmarshal([]byte(`{"Memory":"1.5GiB"}`), &limits); err != nil || limits.Memory.Bytes() != 3<<29 {
		t.Errorf("got %d, %v", limits.Memory, err)
	}
	if out, err := json.Marshal(limits); err != nil || string(out) != `{"Memory":"1.5GiB"}` {
		t.Errorf("got %s, %v", out, err)
	}
	if err := limits.Memory.UnmarshalText([]byte("lots")); err == nil || limits.Memory != 3<<29 {
		t.Errorf("a bad size left %d and error %v", limits.Memory, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"64MiB", "1.5 GiB", "1_000", "-1", "9e9", "1.2.3kB", "8EiB", "٣MB"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := size.Parse(text)
		if err != nil {
			return
		}
		if n < 0 {
			t.Fatalf("Parse(%q) = %d", text, n)
		}
		if back, err := size.Parse(size.Format(n)); back != n || err != nil {
			t.Fatalf("Parse(Format(%d)) = %d, %v", n, back, err)
		}
	})
}
