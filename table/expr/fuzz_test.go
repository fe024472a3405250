package expr

import (
	"errors"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Whatever is written, there is an expression with a value in each row, or an error that says where.
func FuzzExpression(f *testing.F) {
	for _, s := range []string{
		"i + 1 > 2 and not b or f / 2 <> 1e3", "case i when 1 then 'a' else s || code end", "price * -1.10 between u and 5",
		"cast(t + interval '1 month' as date) in (date '2001-03-31', null)", "date_trunc('week', tz) - timestamp '2001-03-31 10:00Z'",
		"try_cast(substring(s, -1, 3) as decimal(38, 20))", "coalesce(nullif(least(i8, 3), none), `day of` - '1969-01-01')",
		"s not like '%_!%' escape '!'", "took // 7 = interval 3 hours", "round(-price, 1) % 3", "abs(-9223372036854775808)",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Compile(text, sampleSchema)
		if err != nil {
			var at *Error
			if !errors.As(err, &at) || at.Offset < 0 || at.Offset > len([]rune(text)) {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
		defer mem.AssertSize(t, 0)
		batch := sampleBatch(t)
		a, err := p.NewEvaluator().Eval(batch, mem)
		if err != nil {
			var at *RowError
			if !errors.As(err, &at) || at.Row < 0 || at.Row > 1 {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		defer a.Release()
		_ = texts(a)
	})
}
