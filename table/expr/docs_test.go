package expr

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// documented returns the expressions in docs/expressions.md, each of which is said to be true.
func documented(t *testing.T) (lines []string) {
	page, err := os.ReadFile("../../docs/expressions.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range strings.Split(string(page), "```text\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		lines = append(lines, strings.Split(strings.TrimSpace(block), "\n")...)
	}
	return lines
}

func TestWhatTheDocsSayOfExpressionsIsTrue(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "origin", Type: arrow.BinaryTypes.String}, {Name: "delay", Type: arrow.PrimitiveTypes.Int64},
		{Name: "distance", Type: arrow.PrimitiveTypes.Int64}, {Name: "date", Type: &arrow.TimestampType{Unit: arrow.Microsecond}},
		{Name: "price", Type: &arrow.Decimal128Type{Precision: 10, Scale: 2}},
		{Name: "tail number", Type: arrow.BinaryTypes.String, Nullable: true},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	b.Field(0).(*array.StringBuilder).Append("ORD")
	b.Field(1).(*array.Int64Builder).Append(75)
	b.Field(2).(*array.Int64Builder).Append(1310)
	date, err := parseTimeText(schema.Field(3).Type, "2001-03-31 17:05:00")
	if err != nil {
		t.Fatal(err)
	}
	b.Field(3).(*array.TimestampBuilder).Append(arrow.Timestamp(date))
	b.Field(4).(*array.Decimal128Builder).Append(decimal128.FromI64(1250))
	b.Field(5).AppendNull()
	flight := b.NewRecordBatch()
	for _, line := range documented(t) {
		p, err := CompileCondition(line, schema)
		if err != nil {
			t.Error(err)
			continue
		}
		if rows, err := p.NewEvaluator().Select(flight, nil); err != nil || len(rows) != 1 {
			t.Errorf("%s is not true (%v)", line, err)
		}
	}
}

func TestTheDocsHaveEveryFunctionAndOperator(t *testing.T) {
	var used []string
	for _, line := range documented(t) {
		words, err := tokens([]rune(line))
		if err != nil {
			t.Fatal(err)
		}
		for i, w := range words {
			if w.kind == tokenSymbol || w.kind == tokenWord && (reserved[w.text] || words[i+1].is("(")) {
				used = append(used, w.text)
			}
		}
	}
	want := append(Functions(), "cast", "try_cast")
	for word := range reserved {
		want = append(want, word)
	}
	for _, symbol := range symbols {
		if symbol != "[" && symbol != "]" { // of the names of types
			want = append(want, symbol)
		}
	}
	for _, name := range want {
		if !slices.Contains(used, name) {
			t.Errorf("docs/expressions.md has no example with %s", name)
		}
	}
}
