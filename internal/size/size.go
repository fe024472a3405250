// Package size reads and writes amounts of memory the way people write them:
// 64MiB, 1.5 GiB, 64MB, 1_000, 4096.
package size

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/seed14ed4225/sluice/internal/suggest"
)

// Size is a number of bytes, zero or more. Its text form is what Parse reads
// and Format writes, so it can stand in flags, settings and JSON.
type Size int64

// Bytes is the size as a plain number of bytes.
func (s Size) Bytes() int64 { return int64(s) }

// String writes the size as Format does.
func (s Size) String() string { return Format(int64(s)) }

// MarshalText writes the size as Format does.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what Parse reads; on error the size stays as it was.
func (s *Size) UnmarshalText(text []byte) error {
	n, err := Parse(string(text))
	if err != nil {
		return err
	}
	*s = Size(n)
	return nil
}

type unit struct {
	name  string
	bytes int64
}

// units are in rising order, the binary one first where two are of like size:
// Format prefers the earlier of equally short spellings.
var units = []unit{
	{"B", 1},
	{"KiB", 1 << 10}, {"kB", 1e3},
	{"MiB", 1 << 20}, {"MB", 1e6},
	{"GiB", 1 << 30}, {"GB", 1e9},
	{"TiB", 1 << 40}, {"TB", 1e12},
	{"PiB", 1 << 50}, {"PB", 1e15},
	{"EiB", 1 << 60}, {"EB", 1e18},
}

// Parse reads a size: a decimal number, optionally with a fraction and with
// underscores between its digits, and a unit: B, kB, MB, GB, TB, PB, EB for
// powers of 1000 and KiB to EiB for powers of 1024, in any letter case, after
// a space or none. No unit means bytes, of which there is no fraction; what a
// fraction of a unit leaves of a byte is dropped. A bare K, M or G is refused,
// because people mean either by it.
//
// Errors name the text and what was expected; a negative size and one of
// 8 EiB or more are errors.
func Parse(text string) (int64, error) {
	trimmed := strings.TrimSpace(text)
	end := strings.IndexFunc(trimmed, func(r rune) bool {
		return (r < '0' || r > '9') && r != '.' && r != '_' && r != '-' && r != '+'
	})
	if end < 0 {
		end = len(trimmed)
	}
	digits, name := trimmed[:end], strings.TrimSpace(trimmed[end:])

	n, err := number(digits)
	if err != nil {
		return 0, fmt.Errorf("size %q: %w", shorten(text), err)
	}
	scale, err := unitNamed(name)
	switch {
	case exponent(name):
		err = errors.New("a size has no exponent; write it with a unit, such as 1GB, or in full")
	case err == nil && name == "" && strings.Contains(digits, "."):
		err = fmt.Errorf("there is no part of a byte; did you mean %sMiB or %sGiB?", shorten(digits), shorten(digits))
	}
	if err != nil {
		return 0, fmt.Errorf("size %q: %w", shorten(text), err)
	}
	n.Mul(n, new(big.Rat).SetInt64(scale))
	whole := new(big.Int).Quo(n.Num(), n.Denom())
	if !whole.IsInt64() {
		return 0, fmt.Errorf("size %q: too large; the largest is %s", shorten(text), Format(math.MaxInt64))
	}
	return whole.Int64(), nil
}

// maxDigits bounds what exact arithmetic is asked to do: 8 EiB has 19 digits.
const maxDigits = 40

func number(digits string) (*big.Rat, error) {
	switch {
	case digits == "":
		return nil, errors.New("expected a number and a unit, such as 64MiB")
	case digits[0] == '-':
		return nil, errors.New("a size cannot be negative")
	case len(digits) > maxDigits:
		return nil, errors.New("too many digits")
	}
	for i, r := range digits {
		// A point or an underscore follows a digit and is not the last.
		digit := '0' <= r && r <= '9'
		between := (r == '.' || r == '_') && 0 < i && i < len(digits)-1 && isDigit(digits[i-1])
		if !digit && !between {
			return nil, fmt.Errorf("%q is not a number; write it like 64, 1.5 or 1_000", digits)
		}
	}
	n, ok := new(big.Rat).SetString(strings.ReplaceAll(digits, "_", ""))
	if !ok { // two points
		return nil, fmt.Errorf("%q is not a number; write it like 64, 1.5 or 1_000", digits)
	}
	return n, nil
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

// exponent reports whether what stands for a unit is that of a number such as 1e9.
func exponent(name string) bool {
	power, ok := strings.CutPrefix(strings.ToLower(name), "e")
	if !ok {
		return false
	}
	_, err := strconv.Atoi(power)
	return err == nil
}

func unitNamed(name string) (int64, error) {
	if name == "" {
		return 1, nil
	}
	names := make([]string, len(units))
	for i, u := range units {
		if strings.EqualFold(u.name, name) {
			return u.bytes, nil
		}
		names[i] = u.name
	}
	for i, binary := range units {
		if strings.EqualFold(binary.name, name+"iB") { // a bare K, M, G
			decimal := units[i+1]
			return 0, fmt.Errorf("unit %q says neither %s (%d bytes) nor %s (%d bytes); write one of them",
				name, binary.name, binary.bytes, decimal.name, decimal.bytes)
		}
	}
	return 0, fmt.Errorf("unknown unit %q%s", shorten(name), suggest.Phrase(shorten(name), names))
}

// shorten keeps an absurdly long text from filling the screen.
func shorten(text string) string {
	const most = 40
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "..."
	}
	return text
}

// Format writes n bytes in the shortest form that Parse reads back as exactly
// n, with at most three digits after the point: 64MiB, 1.5GiB, 64MB, 1001B.
// A negative n gets a minus sign, which Parse refuses.
func Format(n int64) string {
	if n < 0 {
		if n == math.MinInt64 {
			return "-8EiB"
		}
		return "-" + Format(-n)
	}
	best := strconv.FormatInt(n, 10) + "B"
	for _, u := range units[1:] {
		if n < u.bytes {
			continue
		}
		// In thousandths of the unit; big, since n*1000 may not fit.
		thousandths, rest := new(big.Int).QuoRem(
			new(big.Int).Mul(big.NewInt(n), big.NewInt(1000)), big.NewInt(u.bytes), new(big.Int))
		if rest.Sign() != 0 {
			continue
		}
		t := thousandths.Int64()
		text := strconv.FormatInt(t/1000, 10)
		if t%1000 != 0 {
			text += strings.TrimRight(fmt.Sprintf(".%03d", t%1000), "0")
		}
		if text += u.name; len(text) < len(best) {
			best = text
		}
	}
	return best
}
