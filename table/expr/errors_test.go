package expr

import (
	"errors"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Each error says what is wrong with which part, and what to do.
func TestErrorsBeforeAnyDataIsRead(t *testing.T) {
	for _, c := range []struct {
		expr   string
		at     int    // character from 1
		column string // that the error names
		want   string
	}{
		{"", 1, "", "expected a column, a value or a function, got the end"},
		{"i +", 4, "", "expected a column, a value or a function, got the end"},
		{"i + (1", 7, "", "expected ), got the end"},
		{"5 5", 3, "", "expected an operator or the end, got 5"},
		{"i ? 2", 3, "", "unexpected '?'; put a column's name that has it in backticks, a text in quotes"},
		{"'abc", 1, "", "no closing '"},
		{"when", 1, "", "expected a column, a value or a function, got when; put a column's name in backticks: `when`"},
		{"1 < i < 3", 7, "", "comparisons do not chain; join two with and, or put parentheses around one"},
		{"i is nul", 6, "", "expected null after is, got nul"},
		{"i between 1 or 2", 13, "", "expected and between the bounds, got or"},
		{"2x + 1", 1, "", "2x is not a number; put a text in quotes: '2x'"},
		{"1e999", 1, "", "1e999 is too large for a float64"},
		{"prise * 2", 1, "prise", `unknown column "prise"; did you mean "price"?`},
		{"'ü' = S", 7, "S", `unknown column "S"; did you mean "s"?`},
		{"lenth(s)", 1, "", `unknown function "lenth"; did you mean "length"?`},
		{"substring(s)", 1, "", "substring has 1 argument; write substring(text, from, characters)"},
		{"substring(s, 1, 2, 3)", 1, "", "substring has 4 arguments; write substring(text, from, characters)"},
		{"1 + count(*)", 5, "", "count is of many rows; it belongs into the compute of a node of kind aggregate"},
		{"MAX(i) > 1", 1, "", "max is of many rows; it belongs into the compute of a node of kind aggregate, and the greatest of several values in a row is greatest(a, b)"},
		{"1 + s", 1, "s", "+ does not work on 1, which is int64, and s, which is text"},
		{"i and b", 1, "i", "and wants true or false, not i, which is int64"},
		{"not (i + 1)", 6, "i", "not wants true or false, not i + 1, which is int64"},
		{"i = 'a'", 1, "i", "= does not work on i, which is int64, and 'a', which is text"},
		{"tz > t", 1, "tz", "> does not work on tz, which is timestamp[ms, tz=Europe/Zurich], and t, which is timestamp[us]"},
		{"`day of` = 'x'", 12, "", `want a date like '2001-03-31', not "x"`},
		{"tz = '2001-03-31 10:00:00.1234567'", 6, "", `"2001-03-31 10:00:00.1234567" has more digits behind the second than the other side can tell apart`},
		{"t = '2001-03-31 10:00Z'", 5, "", "the other side has no time zone; write the time without one"},
		{"cast(i as foo)", 11, "", `unknown type "foo"; have bool, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float32, float64, "decimal(12, 2)" and 6 more`},
		{"cast(i as decimal(50, 2))", 11, "", "write a decimal like decimal(12, 2): its digits, at most 38, and how many of them stand behind the point"},
		{"cast(b as date)", 6, "b", "b, which is bool, cannot be cast to date"},
		{"upper(i)", 7, "i", "upper wants text, not i, which is int64; cast(i as text) makes it one"},
		{"if(b, 1, 'a')", 1, "", "if does not work on 1, which is int64, and 'a', which is text"},
		{"round(f, i)", 10, "", "round wants its digits as a whole number from -38 to 38, the same for all rows"},
		{"date_trunc('mont', t)", 12, "", `date_trunc cannot cut to "mont"; did you mean "month"?`},
		{"took > interval '1 month'", 8, "", "a month has no fixed length; add it to a date or a timestamp"},
		{"f // 2", 1, "f", "//, the division of whole numbers, does not work on f, which is float64, and 2, which is float64"},
		{"cast(1 as decimal(38, 20)) * cast(1 as decimal(38, 20))", 1, "", "the product has 40 digits behind the point, more than a decimal can have; cast one of the two to fewer"},
		{"price * 1.00000000000000000000000000000000000000000001", 9, "price", "more digits than the 38 that a decimal can have; write fewer, or cast(price as float64) beside it"},
		{"coalesce(price, -0.00000000000000000000000000000000000000000001)", 17, "price", "more digits than the 38 that a decimal can have; write fewer, or cast(price as float64) beside it"},
		{strings.Repeat("(", 300) + "1", 201, "", "nests more than 200 deep"},
	} {
		_, err := Compile(c.expr, sampleSchema)
		var got *Error
		if !errors.As(err, &got) {
			t.Errorf("%s: %v", c.expr, err)
			continue
		}
		if got.Message() != c.want || got.Offset+1 != c.at || got.Column != c.column || got.Expr != c.expr {
			t.Errorf("%s: character %d, column %q: %s\nwant      character %d, column %q: %s",
				c.expr, got.Offset+1, got.Column, got.Message(), c.at, c.column, c.want)
		}
	}
}

func TestAConditionIsNoComparisonWithNull(t *testing.T) {
	for _, c := range []struct {
		expr string
		at   int // character from 1, 0 if there is no error
		want string
	}{
		{"i = null", 1, "a comparison with null is never true; write i is null"},
		{"b and (null <> i + 1)", 8, "a comparison with null is never true; write i + 1 is not null"},
		{"i = 1 or i = null", 0, ""},
		{"not (i = null) or b", 0, ""},
		{"i is null and b", 0, ""},
		{"i", 1, "a condition is true or false, but it is int64; compare it with something, as in delay > 60"},
	} {
		_, err := CompileCondition(c.expr, sampleSchema)
		var got *Error
		if errors.As(err, &got) != (c.at > 0) || got != nil && (got.Offset+1 != c.at || got.Message() != c.want) {
			t.Errorf("%s: %v, want %s", c.expr, err, c.want)
		}
	}
}

func TestRowsWithoutAValueAreErrors(t *testing.T) {
	for _, c := range []struct {
		expr string
		is   error
		want string
	}{
		{"i + 9223372036854775807", ErrOverflow, `"i + 9223372036854775807", row 1: overflow of int64: 7 + 9223372036854775807`},
		{"1 + i // (i - 7)", ErrDivisionByZero, `"1 + i // (i - 7)", character 5, row 1: "i // (i - 7)": division by zero: 7 // 0`},
		{"i * 1_000_000_000_000 * (i * 1_000_000_000_000)", ErrOverflow, `"i * 1_000_000_000_000 * (i * 1_000_000_000_000)", row 1: overflow of int64: 7000000000000 * 7000000000000`},
		{"i / 0.0", ErrDivisionByZero, `"i / 0.0", row 1: division by zero: 7 divided by 0`},
		{"i % 0", ErrDivisionByZero, `"i % 0", row 1: division by zero: 7 % 0`},
		{"price // 0", ErrDivisionByZero, `"price // 0", row 1: division by zero: 10.25 // 0.00`},
		{"u - 6", ErrOverflow, `"u - 6", row 1: overflow of uint64: 5 - 6`},
		{"-(i8 - 9223372036854775805)", ErrOverflow, `"-(i8 - 9223372036854775805)", row 1: overflow of int64: 0 - -9223372036854775808`},
		{"price * 99999999999999999999999999999999999999", ErrOverflow, `"price * 99999999999999999999999999999999999999", row 1: overflow: 10.25 * 99999999999999999999999999999999999999`},
		{"99999999999999999999999999999999999999 - i8", ErrOverflow, `"99999999999999999999999999999999999999 - i8", row 1: overflow: 99999999999999999999999999999999999999 - -3`},
		{"i * 0 + 99999999999999999999999999999999999999 + 99999999999999999999999999999999999999", ErrOverflow, `"i * 0 + 99999999999999999999999999999999999999 + 99999999999999999999999999999999999999", row 1: overflow: 99999999999999999999999999999999999999 + 99999999999999999999999999999999999999`},
		{"-price - 99999999999999999999999999999999999999 * 10", ErrOverflow, `"-price - 99999999999999999999999999999999999999 * 10", character 10, row 1: "99999999999999999999999999999999999999 * 10": overflow: 99999999999999999999999999999999999999 * 10`},
		{"`day of` + 99999999999", ErrOverflow, "\"`day of` + 99999999999\", row 1: overflow of dates: 2001-03-31 + 99999999999 days"},
		{"cast(f * 1000 as int8)", ErrCast, `"cast(f * 1000 as int8)", row 1: 2500 does not fit int8`},
		{"cast(s as int64)", ErrCast, `"cast(s as int64)", row 1: "Grüezi" does not fit int64`},
		{"cast(s as date)", ErrCast, `"cast(s as date)", row 1: "Grüezi" does not fit date`},
		{"case when b then 1 // 0 else 1 end", ErrDivisionByZero, `"case when b then 1 // 0 else 1 end", character 18, row 1: "1 // 0": division by zero: 1 // 0`},
	} {
		p, err := Compile(c.expr, sampleSchema)
		if err != nil {
			t.Errorf("%s: %v", c.expr, err)
			continue
		}
		_, err = p.NewEvaluator().Eval(sampleBatch(t), memory.DefaultAllocator)
		var at *RowError
		if !errors.Is(err, c.is) || !errors.As(err, &at) || err.Error() != c.want {
			t.Errorf("%s:\ngot  %v\nwant %s", c.expr, err, c.want)
		}
	}
}

// What a condition rules out does not have to have a value.
func TestWhatIsNotWantedIsNoError(t *testing.T) {
	for _, expr := range []string{
		"i <> 7 and 1 // (i - 7) > 0",
		"i = 7 or 1 // (i - 7) > 0",
		"if(i = 7, 0, 1 // (i - 7))",
		"case when i is null then 0 when i = 7 then 1 else 1 // (i - 7) end",
		"if(i = 7, 0, if(i > 100, 1, 1 // (i - 7)))",
		"if(i = 7, 0, coalesce(null, 1 // (i - 7)))",
		"i = 7 or i > 100 and b or 1 // (i - 7) > 1",
		"coalesce(i, 1, 1 // 0)",
		"i // nullif(i - 7, 0)",
		"try_cast(s as int64)",
		"1 // i",
	} {
		if got := valuesOf(t, expr, sampleBatch(t)); len(got) != 2 {
			t.Errorf("%s: %v", expr, got)
		}
	}
}

func TestARowWithoutANumberIsNotNamed(t *testing.T) {
	for _, tt := range []struct {
		err  RowError
		want string
	}{
		{RowError{Expr: "1 // 0", Part: "1 // 0", Row: -1, Err: ErrDivisionByZero}, `"1 // 0": division by zero`},
		{RowError{Expr: "2 + 1 // 0", Offset: 4, Part: "1 // 0", Row: -1, Err: ErrDivisionByZero}, `"2 + 1 // 0", character 5: "1 // 0": division by zero`},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("%s, not %s", got, tt.want)
		}
		if got := tt.err.Message(); got != "division by zero" {
			t.Errorf("message %s", got)
		}
	}
}
