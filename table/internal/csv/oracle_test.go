package csv

import (
	"encoding/csv"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"pgregory.net/rapid"
)

// Text that both this package and the standard library's read, they read as the same fields. There a
// carriage return before a newline is left out, also in quotes, and at the end of the text.
func TestFieldsAreThoseOfTheStandardLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := strings.TrimRight(rapid.StringOfN(rapid.SampledFrom([]rune("aé,\"\n\r")), 1, 100, -1).Draw(t, "text"), "\r")
		peer := csv.NewReader(strings.NewReader(lines))
		want, peerErr := peer.ReadAll()
		if peerErr != nil || len(want) == 0 {
			return
		}
		x := text{text: lines, dialect: Dialect{NoHeader: true, Nulls: []string{"none"}}, types: map[string]arrow.DataType{}}
		for i := range want[0] {
			x.names = append(x.names, "c"+strconv.Itoa(i))
			x.types[x.names[i]] = arrow.BinaryTypes.String
		}
		_, got, err := x.read(t)
		if err != nil {
			t.Fatalf("%q is %q, and here %v", lines, want, err)
		}
		if len(x.names) == 1 { // where a blank line is a row
			got, want = nonEmpty(got), nonEmpty(want)
		}
		if len(got) != len(want) {
			t.Fatalf("%q is %q, and here %q", lines, want, got)
		}
		for i := range want {
			for k := range want[i] {
				if theirs, ours := want[i][k], strings.ReplaceAll(got[i][k], "\r\n", "\n"); ours != theirs {
					t.Fatalf("%q: row %d is %q, and here %q", lines, i, want[i], got[i])
				}
			}
		}
	})
}

// nonEmpty are the rows whose only field has something in it.
func nonEmpty(rows [][]string) (some [][]string) {
	for _, row := range rows {
		if row[0] != "" {
			some = append(some, row)
		}
	}
	return some
}

func TestNumbersAreThoseOfTheStandardLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		digits := rapid.StringMatching(`[-+]?[0-9]{0,20}(\.[0-9]{0,12})?(e-?[0-9]{1,3})?`).Draw(t, "number")
		want, err := strconv.ParseFloat(digits, 64)
		if got, ok := readFloat64([]byte(digits)); ok != (err == nil) || ok && math.Float64bits(got) != math.Float64bits(want) {
			t.Errorf("%s: %v, %v; want %v, %v", digits, got, ok, want, err)
		}
		short, err := strconv.ParseInt(digits, 10, 16)
		if got, ok := readSigned[int16]([]byte(digits)); ok != (err == nil) || ok && int64(got) != short {
			t.Errorf("%s: %v, %v; want %v, %v", digits, got, ok, short, err)
		}
		long, err := strconv.ParseInt(digits, 10, 64)
		if got, ok := readSigned[int64]([]byte(digits)); ok != (err == nil) || ok && got != long {
			t.Errorf("%s: %v, %v; want %v, %v", digits, got, ok, long, err)
		}
		if without := strings.TrimPrefix(digits, "+"); !strings.HasPrefix(without, "-") {
			whole, err := strconv.ParseUint(without, 10, 32)
			if got, ok := readUnsigned[uint32]([]byte(digits)); ok != (err == nil) || ok && uint64(got) != whole {
				t.Errorf("%s: %v, %v; want %v, %v", digits, got, ok, whole, err)
			}
		}
	})
}

// Numbers of about as many digits as a float has are where it is easy to be wrong in the last.
func TestNumbersOfManyDigitsAreExact(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for digits := 14; digits <= 20; digits++ {
		for range 500 {
			text := make([]byte, digits+1)
			for i := range text {
				text[i] = '0' + byte(random.IntN(10))
			}
			text[1+random.IntN(digits)] = '.'
			want, err := strconv.ParseFloat(string(text), 64)
			if got, ok := readFloat64(text); err != nil || !ok || got != want {
				t.Fatalf("%s: %v, %v; want %v", text, got, ok, want)
			}
		}
	}
}

func TestTimesAreThoseOfTheStandardLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		layout := rapid.SampledFrom([]string{
			time.DateOnly, "2006-01-02T15:04", time.DateTime, "2006-01-02T15:04:05.999999999", time.RFC3339Nano,
		}).Draw(t, "layout")
		when := time.Unix(rapid.Int64Range(-62135500000, 253402200000).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanos"))
		when = when.In(time.FixedZone("", rapid.IntRange(-12*60, 12*60).Draw(t, "offset")*60))
		text := when.Format(layout)
		want, err := time.Parse(layout, text)
		seconds, nanos, offset, ok := readTime([]byte(text))
		if wrong := err != nil; ok == wrong {
			t.Fatalf("%s: %v; want %v", text, ok, err)
		}
		if err == nil && (seconds != want.Unix() || int(nanos) != want.Nanosecond() || offset != (layout == time.RFC3339Nano)) {
			t.Errorf("%s: %d s, %d ns, %v; want %d, %d", text, seconds, nanos, offset, want.Unix(), want.Nanosecond())
		}
	})
}
