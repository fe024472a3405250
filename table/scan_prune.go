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
	read, skipped atomic.Int64
}

// Read returns how many row groups were read, or are being read.
func (c *ScanCount) Read() int64 { return c.read.Load() }

// Skipped returns how many row groups were left out because of [Scan.Prune].
func (c *ScanCount) Skipped() int64 { return c.skipped.Load() }

// A pruning leaves out row groups in which, by their statistics, no row meets a condition. Of one without
// conjuncts, and of nil, none is left out.
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

// skips reports whether a row group can be left out, and counts it. fields are the places of the
// schema's columns in the file.
func (p *pruning) skips(file *pages.File, g int, fields []int) bool {
	if p == nil {
		return false
	}
	skip := false
	for _, c := range p.conjuncts {
		skip = skip || excludes(file.Range(g, fields[c.Column]), c, scaleOf(p.schema.Field(c.Column).Type))
	}
	if p.count != nil && skip {
		p.count.skipped.Add(1)
	} else if p.count != nil {
		p.count.read.Add(1)
	}
	return skip
}

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
