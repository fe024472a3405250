package plan

import (
	"encoding"
	"errors"
	"testing"

	"github.com/seed14ed4225/sluice/table"
)

func TestAConditionIsOneColumnAndOneComparison(t *testing.T) {
	tests := []struct {
		text string
		want condition
	}{
		{"delay > 60", condition{columnName{"delay", 0}, table.Greater, int64(60)}},
		{"delay>=-60", condition{columnName{"delay", 0}, table.GreaterOrEqual, int64(-60)}},
		{"delay <= 1_000", condition{columnName{"delay", 0}, table.LessOrEqual, int64(1000)}},
		{"delay < .5e-3", condition{columnName{"delay", 0}, table.Less, .5e-3}},
		{"delay = 99999999999999999999", condition{columnName{"delay", 0}, table.Equal, 1e20}},
		{"origin = 'ORD'", condition{columnName{"origin", 0}, table.Equal, "ORD"}},
		{`origin == "O'Hare"`, condition{columnName{"origin", 0}, table.Equal, "O'Hare"}},
		{`origin <> 'O\'Hare \\ x'`, condition{columnName{"origin", 0}, table.NotEqual, `O'Hare \ x`}},
		{"origin = 'O''Hare'", condition{columnName{"origin", 0}, table.Equal, "O'Hare"}},
		{`origin = """"`, condition{columnName{"origin", 0}, table.Equal, `"`}},
		{"origin = ''''''", condition{columnName{"origin", 0}, table.Equal, "''"}},
		{"`a``b` = 1", condition{columnName{"a`b", 0}, table.Equal, int64(1)}},
		{"origin != ''", condition{columnName{"origin", 0}, table.NotEqual, ""}},
		{"`tail number` IS NOT NULL", condition{columnName{"tail number", 0}, table.NotNull, nil}},
		{"  größe is null ", condition{columnName{"größe", 2}, table.IsNull, nil}},
		{"late = TRUE", condition{columnName{"late", 0}, table.Equal, true}},
		{"t.delay = false", condition{columnName{"t.delay", 0}, table.Equal, false}},
	}
	for _, tt := range tests {
		var got condition
		if err := got.UnmarshalText([]byte(tt.text)); err != nil || got != tt.want {
			t.Errorf("%s: got %+v, %v; want %+v", tt.text, got, err, tt.want)
		}
	}
}

func TestAWrongConditionSaysWhereAndWhatWasExpected(t *testing.T) {
	tests := []struct {
		text   string
		offset int
		want   string
	}{
		{"", 0, "expected a condition; write it like delay > 60, origin = 'ORD' or delay is not null, got the end"},
		{"delay", 5, "expected a comparison; write it like delay > 60, origin = 'ORD' or delay is not null, got the end"},
		{"delay 60", 6, "expected a comparison; write it like delay > 60, origin = 'ORD' or delay is not null, got 60"},
		{"60 < delay", 0, "expected a column, got 60"},
		{"delay >", 7, "expected a number, a text in quotes, true or false, got the end"},
		{"delay > -x", 9, "expected a number, got x"},
		{"delay > 60 and origin = 'ORD'", 11, "a condition is one comparison; for and, put a second filter after this one"},
		{"delay > 60 min", 11, "expected the end, got min"},
		{"delay is null or late", 14, "a condition is one comparison; or is not there yet"},
		{"origin = ORD", 9, "a column is compared with a value; put a text in quotes: 'ORD'"},
		{"date > 2001-01-01", 11, "a value cannot be calculated; put a date in quotes: '2001-06-30'"},
		{"date > 1st", 7, "1st is not a number; put a text in quotes: '1st'"},
		{"date > 0x1p5", 7, "0x1p5 is not a number; put a text in quotes: '0x1p5'"},
		{"delay = null", 8, "nothing compares with null; write delay is null or delay is not null"},
		{"delay is 5", 9, "expected null, got 5"},
		{"origin = 'ORD", 9, "no closing '"},
		{"origin = 'ORD''", 9, "no closing '"},
		{"origin = 'a' 'b'", 13, `expected the end, got "b"`},
		{"tail#no = 5", 4, `unexpected '#'; put a column's name that has it in backticks, a text in quotes`},
	}
	for _, tt := range tests {
		var c condition
		err := c.UnmarshalText([]byte(tt.text))
		var at *phraseError
		if !errors.As(err, &at) || at.offset != tt.offset || at.message != tt.want {
			t.Errorf("%s:\n got %+v\nwant %d: %s", tt.text, at, tt.offset, tt.want)
		}
	}
}

func TestAMeasureIsAFunctionOfAColumn(t *testing.T) {
	tests := []struct {
		text string
		want measure
	}{
		{"count", measure{table.Count, columnName{}}},
		{"count()", measure{table.Count, columnName{}}},
		{"count( * )", measure{table.Count, columnName{}}},
		{"count(delay)", measure{table.Count, columnName{"delay", 6}}},
		{"mean(`air time`)", measure{table.Mean, columnName{"air time", 5}}},
		{" max ( delay ) ", measure{table.Max, columnName{"delay", 7}}},
	}
	for _, tt := range tests {
		var got measure
		if err := got.UnmarshalText([]byte(tt.text)); err != nil || got != tt.want {
			t.Errorf("%s: got %+v, %v; want %+v", tt.text, got, err, tt.want)
		}
	}
	for _, wrong := range []string{"", "count)", "count(*", "count(*) x", "mean(*)", "mean()", "mean(a, b)", "mean(a) + 1", "(a)", "mean('a')", "`mean`(a)"} {
		var got measure
		if err := got.UnmarshalText([]byte(wrong)); err == nil {
			t.Errorf("%s is read as %+v", wrong, got)
		}
	}
}

func TestASortKeyIsAColumnWithADirection(t *testing.T) {
	tests := []struct {
		text string
		want sortKey
	}{
		{"delay", sortKey{column: columnName{"delay", 0}}},
		{"delay asc", sortKey{column: columnName{"delay", 0}}},
		{"delay DESC nulls First", sortKey{columnName{"delay", 0}, true, table.NullsFirst}},
		{"`air time` nulls last", sortKey{columnName{"air time", 0}, false, table.NullsLast}},
		{"desc desc", sortKey{column: columnName{"desc", 0}, descending: true}},
	}
	for _, tt := range tests {
		var got sortKey
		if err := got.UnmarshalText([]byte(tt.text)); err != nil || got != tt.want {
			t.Errorf("%s: got %+v, %v; want %+v", tt.text, got, err, tt.want)
		}
	}
	for _, wrong := range []string{"", "-delay", "delay down", "delay asc desc", "delay nulls", "delay nulls desc", "air time", "delay, origin"} {
		var got sortKey
		if err := got.UnmarshalText([]byte(wrong)); err == nil {
			t.Errorf("%s is read as %+v", wrong, got)
		}
	}
}

// FuzzPhrases reads any text as each kind of phrase. Errors are about a
// character of it, or the place right behind it.
func FuzzPhrases(f *testing.F) {
	for _, text := range []string{"delay > -60.5e3", "`tail number` is not null", `a = 'it\'s'`, "mean(delay)", "count(*)", "delay desc nulls last", "\xff`"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, phrase := range []encoding.TextUnmarshaler{new(condition), new(measure), new(sortKey)} {
			err := phrase.UnmarshalText([]byte(text))
			var at *phraseError
			if err == nil {
				continue
			}
			if !errors.As(err, &at) || at.offset < 0 || at.offset > len([]rune(text)) || at.message == "" {
				t.Errorf("%T of %q: %+v", phrase, text, err)
			}
		}
	})
}
