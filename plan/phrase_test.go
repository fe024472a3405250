package plan

import (
	"encoding"
	"errors"
	"testing"

	"github.com/seed14ed4225/sluice/table"
)

func TestAWrongExpressionSaysWhere(t *testing.T) {
	for _, tt := range []struct {
		text   string
		offset int
	}{
		{"", 0}, {"delay >", 7}, {"origin = 'ORD", 9}, {"  größe is nul", 11}, {"tail#no = 5", 4}, {"delay > 60 min", 11},
	} {
		var e expression
		err := e.UnmarshalText([]byte(tt.text))
		var at *phraseError
		if !errors.As(err, &at) || at.offset != tt.offset || at.message == "" {
			t.Errorf("%s: %+v, want it at %d", tt.text, at, tt.offset)
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
		for _, phrase := range []encoding.TextUnmarshaler{new(expression), new(measure), new(sortKey)} {
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
