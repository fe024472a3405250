package table

import (
	"errors"
	"math"
	"math/big"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice/table/expr"
	"github.com/seed14ed4225/sluice/table/internal/pages"
)

// A ScanCount counts row groups of a scan while it runs. Its methods may be called at any time.
type ScanCount struct {
	read, skipped, skippedRows atomic.Int64
}

// add counts a row group with so many rows, of which these are read.
func (c *ScanCount) add(read []pages.Rows, rows int64) {
	for _, r := range read {
		rows -= int64(r.To - r.From)
	}
	c.skippedRows.Add(rows)
	if len(read) == 0 {
		c.skipped.Add(1)
	} else {
		c.read.Add(1)
	}
}

// Read returns how many row groups were read, or are being read.
func (c *ScanCount) Read() int64 { return c.read.Load() }

// Skipped returns how many row groups were left out because of [Scan.Prune].
func (c *ScanCount) Skipped() int64 { return c.skipped.Load() }

// SkippedRows returns how many rows were left out because of [Scan.Prune]: those of such row groups, and
// of pages of others.
func (c *ScanCount) SkippedRows() int64 { return c.skippedRows.Load() }

// A pruning leaves out row groups, and pages of others, in which, by their statistics, no row meets a
// condition. With one without conjuncts, and with nil, none is left out.
type pruning struct {
	schema    *arrow.Schema
	conjuncts []expr.Conjunct
	count     *ScanCount // may be nil
}

func (s Scan) pruning(schema *arrow.Schema) (*pruning, error) {
	p := &pruning{schema: schema, count: s.Count}
	if s.Prune == "" {
		return p, nil
	}
	if s.IsCSV() {
		return nil, errors.New("CSV has no statistics by which to leave out rows; put a filter behind the scan instead of Prune")
	}
	condition, err := expr.CompileCondition(s.Prune, schema)
	if err != nil {
		return nil, err
	}
	p.conjuncts = condition.Conjuncts()
	return p, nil
}

// wanted returns the rows of a row group that have to be read, none if it can be left out, and counts.
// fields are the places of the schema's columns in the file.
func (p *pruning) wanted(file *pages.File, g int, fields []int) []pages.Rows {
	all := file.Rows(g)
	if all == 0 {
		return nil
	}
	rows := []pages.Rows{{To: int(all)}}
	if p == nil {
		return rows
	}
	for _, c := range p.conjuncts {
		if excludes(file.Range(g, fields[c.Column]), c, p.scale(c)) {
			rows = nil
			break
		}
	}
	for _, c := range p.conjuncts {
		if len(rows) == 0 {
			break
		}
		rows = p.among(rows, file.PageRanges(g, fields[c.Column]), c)
	}
	if p.count != nil {
		p.count.add(rows, all)
	}
	return rows
}

// among returns those rows that are in pages that may have some for which a comparison holds.
func (p *pruning) among(rows []pages.Rows, index []pages.PageRange, c expr.Conjunct) []pages.Rows {
	if len(index) == 0 {
		return rows
	}
	var left []pages.Rows
	for _, page := range index {
		switch last := len(left) - 1; {
		case excludes(page.Range, c, p.scale(c)):
		case last >= 0 && left[last].To == page.From:
			left[last].To = page.To
		default:
			left = append(left, page.Rows)
		}
	}
	return pages.Overlap(rows, left)
}

func (p *pruning) scale(c expr.Conjunct) int32 { return scaleOf(p.schema.Field(c.Column).Type) }

// excludes reports whether a comparison holds for no value of a range, which is one of decimals of that
// scale if it is of decimals.
func excludes(r pages.Range, c expr.Conjunct, scale int32) bool {
	switch c.Op {
	case "is null":
		return r.NoNull
	case "is not null":
		return r.AllNull
	}
	if r.AllNull {
		return true
	}
	below, knownBelow := compareBound(r.Max, c.Value, scale) // all values are below, or equal
	above, knownAbove := compareBound(r.Min, c.Value, scale)
	// Some writers leave empty texts out of the lower bound, and these are below all others.
	if _, text := c.Value.(string); text && (c.Op != "=" || c.Value == "") {
		knownAbove = false
	}
	// NaN is above all numbers, and statistics leave it out: an upper bound says nothing of it.
	_, float := r.Max.(float64)
	switch c.Op {
	case "=":
		return knownBelow && below < 0 || knownAbove && above > 0
	case "<":
		return knownAbove && above >= 0
	case "<=":
		return knownAbove && above > 0
	case ">":
		return knownBelow && !float && below <= 0
	case ">=":
		return knownBelow && !float && below < 0
	case "<>":
		return knownBelow && knownAbove && !float && below == 0 && above == 0
	default:
		return false
	}
}

// compareBound compares a bound with the value of a comparison, if both are known and of one type.
func compareBound(bound, value any, scale int32) (order int, known bool) {
	switch v := value.(type) {
	case int64:
		if b, ok := bound.(uint64); ok && b <= math.MaxInt64 { // of unsigned integers up to 32 bits
			bound = int64(b)
		}
		_, known = bound.(int64)
	case uint64:
		_, known = bound.(uint64)
	case float64:
		_, known = bound.(float64)
		known = known && v == v
	case string:
		_, known = bound.(string)
	case expr.Decimal:
		units, ok := bound.(*big.Int)
		if !ok {
			return 0, false
		}
		x := new(big.Int).Mul(units, powerOfTen(v.Scale))
		return x.Cmp(new(big.Int).Mul(v.Unscaled.BigInt(), powerOfTen(scale))), true
	}
	if !known {
		return 0, false
	}
	return pages.CompareBounds(bound, value), true
}
