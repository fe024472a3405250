package table

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice/table/expr"
)

// withoutValue says of which pair the condition has no value. Its row in the batch that was put together
// to ask means nothing to anybody; its keys do.
func (p *prober) withoutValue(err error) error {
	var row *expr.RowError
	if !errors.As(err, &row) || row.Row < 0 {
		return fmt.Errorf("condition: %w", err)
	}
	keys := p.keysOf(p.candidates[row.Row])
	row.Row = -1
	return fmt.Errorf("condition: rows with %s: %w", keys, err)
}

// keysOf shows the keys of a pair as the left input has them. None is null: that matches nothing.
func (p *prober) keysOf(at pair) string {
	where := p.table.places[at.built]
	if p.side == leftSide {
		where = place{row: uint32(p.from) + at.row}
	}
	var shown []string
	for _, column := range p.plan.keys[leftSide] {
		field := p.plan.inputs[leftSide].Field(column)
		v := &p.halves()[leftSide][column][where.batch]
		value := string(cells{typ: field.Type, float: exactFloat, clock: "2006-01-02T15:04:05"}.of()(v, int(where.row), nil))
		if plain(field.Type).ID() == arrow.STRING {
			value = shortQuote(value)
		}
		shown = append(shown, fmt.Sprintf("%s = %s", field.Name, value))
	}
	return strings.Join(shown, ", ")
}

// shortQuote quotes a text, and says so if that is only its beginning.
func shortQuote(s string) string {
	const most = 40
	if r := []rune(s); len(r) > most {
		return strconv.Quote(string(r[:most])) + "..."
	}
	return strconv.Quote(s)
}
