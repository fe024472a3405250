// Package expr computes with the columns of tables: it parses expressions that read like SQL's, checks
// them against a schema, and evaluates them over Arrow record batches.
//
//	p, err := expr.Compile("price * (1 - discount) > 100 and origin in ('ORD', 'SFO')", schema)
//	e := p.NewEvaluator()         // one for each goroutine
//	rows, err := e.Select(batch, nil) // or, of any type: e.Eval(batch, mem)
//
// An expression is compiled once. It is then evaluated a strip of rows at a time, in loops over
// columns; what depends on one column with a dictionary only, once for each entry.
//
// # What can be written
//
//	origin, `tail number`                columns; in backticks any name
//	12, 1_000.5, 1e9, 'text', "text"     a quote inside is doubled, or has \ before it
//	true, false, null
//	date '2001-03-31', timestamp '2001-03-31 17:05:00.5', interval '1 month 2 days', interval '1h30m'
//	- + * / // %                         // divides whole numbers and % is what is left over, as Go's / and % are
//	||                                   joins texts
//	= <> < <= > >=                       also == and !=; two of them do not chain
//	and or not
//	is null, is not null
//	x [not] in (1, 2), x [not] between 1 and 5, x [not] like 'a%_' escape '!'
//	case when a then b else c end, case x when 1 then 'one' end
//	cast(x as int64), try_cast(x as decimal(12, 2)), cast(x, 'date')
//
// Keywords and the names of functions, types and units can be written in any case; names of columns
// cannot. What binds most tightly comes first: the sign; * / // %; + -; ||; comparisons, is, in, between
// and like; not; and; or.
//
// # Functions
//
//	length lower upper trim ltrim rtrim     of text; length is in characters, of binary in bytes
//	substring(text, from, characters)       the first character is 1; without the third, to the end
//	replace(text, part, by)                 each part by another; one without characters is nowhere
//	concat(a, b, ...)                       of anything; leaves nulls out
//	contains starts_with ends_with          (text, part)
//	year quarter month day day_of_year      of dates and timestamps
//	day_of_week                             Monday is 1, Sunday 7
//	hour minute second                      whole; of dates 0
//	date_trunc('month', t)                  year quarter month week day hour minute second millisecond microsecond
//	if(condition, then, else)
//	coalesce(a, b, ...)                     the first that is not null
//	nullif(a, b)                            a, but null if it equals b
//	least(a, b, ...) greatest(a, b, ...)    leave nulls out
//	abs floor ceil round(x, digits)         round goes half away from zero
//
// # Types
//
// Texts with a dictionary are texts. A number or text that is written in an expression becomes what
// stands beside it, if that can have it exactly: 1 a uint8, 10.25 a decimal, '2001-03-31' a date, '17:05' a
// time of day.
//
//	integer + - * // % integer      int64; uint64 if one is a uint64 and the other unsigned, or written and not negative
//	decimal + - decimal             as many digits behind the point as the one that has more
//	decimal * decimal               as many digits behind the point as both together
//	decimal // % decimal            // gives a whole decimal
//	decimal and integer             as of decimals
//	float and any number            float64
//	x / y                           float64, of any numbers, and of durations
//	1.5, beside no decimal          float64; beside one, a number of more than 38 digits is an error
//	date ± integer, date - date     days
//	date, timestamp ± interval      date, or timestamp if the interval has hours; months end with their last day
//	timestamp - timestamp           duration, of the finer unit
//	timestamp, duration ± duration  timestamp, duration, of the finer unit
//	duration * // integer           duration
//	if, case, coalesce, least ...   the type of all if they have the same, else that of their sum
//
// Decimals have at most 38 digits and are exact. Timestamps with a time zone are instants, and their
// parts, truncations, days and months are those of their zone's clocks; such without a zone are what a
// clock shows, and do not compare with the others before they are cast. An interval of days or months
// moves the clock, elsewhere a day is 24 hours. Times of day can be compared and chosen between, and
// become texts; they are not calculated with.
//
// # Nulls
//
// As in SQL, what is calculated from null is null, comparisons with null are null, and null and false is
// false, null or true is true. x in (1, null) is null where it is not true. A condition that is null
// selects nothing. Functions that leave nulls out are null only if all of their arguments are; concat
// never is. NaN equals NaN and is above all other numbers; -0 is 0.
//
// # Errors
//
// What is wrong with an expression is an [*Error] of [Compile]. A row without a value ends an evaluation
// with a [*RowError]: a result that its type cannot hold ([ErrOverflow]; floats become infinite
// instead), a division by zero of any type, floats included ([ErrDivisionByZero]; nullif(y, 0) makes it
// null), and a value that a cast cannot convert ([ErrCast]; try_cast makes it null). Casts of numbers
// round half away from zero, those of times cut off what a coarser unit cannot tell apart.
//
// What is not wanted is no error: the right side of and where the left is false, of or where it is
// true, the branches of if and case that are not taken, and what coalesce does not come to.
package expr
