package table

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
)

// failer is a *testing.T or a *rapid.T.
type failer interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
	Errorf(string, ...any)
}

// A transform is the node under test.
type transform func(in, out *sluice.Channel) (string, func(context.Context) error, sluice.Port, sluice.Port)

// through runs batches through a node and returns the rows that come out, with
// their schema. It does so without limits, in much memory and, if the batches are small, in little, and
// checks that the same comes out, that numbers rise, and that all memory came back. The batches
// stay the caller's.
func through(t failer, node transform, batches ...arrow.RecordBatch) (rows [][]any, schema *arrow.Schema, err error) {
	t.Helper()
	rows, schema, err = throughIn(t, nil, node, batches...)
	for _, r := range []*mem.Resource{little(), ample()} {
		if slices.ContainsFunc(batches, func(b arrow.RecordBatch) bool { return batchCopyBytes(b) > r.Limit(mem.Host)/8 }) {
			continue
		}
		counted, _, failed := throughIn(t, r, node, batches...)
		if (failed == nil) != (err == nil) {
			t.Fatalf("in %d bytes of memory: %v, without a limit: %v", r.Limit(mem.Host), failed, err)
		}
		if err != nil {
			continue // some rows may have come before
		}
		if len(counted) != len(rows) {
			t.Fatalf("in %d bytes of memory: %d rows, without a limit %d", r.Limit(mem.Host), len(counted), len(rows))
		}
		got, want := asText(counted), asText(rows)
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("in %d bytes of memory row %d is\n%s\nwithout a limit\n%s", r.Limit(mem.Host), i, got[i], want[i])
			}
		}
		if host := r.Stats().Kinds[mem.Host]; host.Overbooked != 0 {
			t.Fatalf("%d bytes were taken of %d", host.Peak, host.Limit)
		}
	}
	return rows, schema, err
}

// throughIn is through in the memory of a resource.
func throughIn(t failer, r *mem.Resource, node transform, batches ...arrow.RecordBatch) (rows [][]any, schema *arrow.Schema, err error) {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	net := sluice.NewNetwork("test", sluice.WithMemory(r))
	in, out := net.Channel("in"), net.Channel("out")
	net.Node("source", source(in, batches...), sluice.Writes(in))
	net.Node(node(in, out))
	net.Node("sink", func(ctx context.Context) error {
		last := -1
		for m, err := range out.All(ctx) {
			if err != nil {
				return err
			}
			if int(m.Seq()) <= last {
				t.Errorf("number %d follows %d", m.Seq(), last)
			}
			last = int(m.Seq())
			chunk, err := sluice.Peek[*Chunk](&m)
			if err != nil {
				return err
			}
			schema = chunk.Schema()
			for i, c := range chunk.Batch().Columns() {
				if !arrow.TypeEqual(c.DataType(), schema.Field(i).Type) {
					t.Errorf("column %d is %v, its schema says %v", i, c.DataType(), schema.Field(i).Type)
				}
			}
			rows = append(rows, rowsOf(chunk.Batch())...)
			m.Release()
		}
		return nil
	}, reads(out))
	err = net.Run(withAllocator(context.Background(), mem))
	assertNoLeak(t, mem)
	return rows, schema, err
}

// source returns a node that sends the batches, and keeps its own references.
func source(out *sluice.Channel, batches ...arrow.RecordBatch) func(context.Context) error {
	return func(ctx context.Context) error {
		for i, batch := range batches {
			batch.Retain()
			chunk := NewChunk(batch)
			if mem.FromContext(ctx) != nil {
				var err error
				if chunk, err = counted(ctx, batch); err != nil {
					return err
				}
			}
			if err := send(ctx, out, sluice.SeqNum(i), chunk); err != nil {
				return err
			}
		}
		return nil
	}
}

func assertNoLeak(t failer, mem *memory.CheckedAllocator) {
	t.Helper()
	if n := mem.CurrentAlloc(); n != 0 {
		t.Errorf("%d bytes were not given back", n)
	}
}

// rowsOf takes a batch apart, value by value, without the code under test: nil,
// bool, int64, uint64, float64, decimal128.Num or string.
func rowsOf(batch arrow.RecordBatch) [][]any {
	rows := make([][]any, batch.NumRows())
	for i := range rows {
		for _, c := range batch.Columns() {
			rows[i] = append(rows[i], valueOf(c, i))
		}
	}
	return rows
}

func valueOf(a arrow.Array, i int) any {
	if a.IsNull(i) || a.DataType().ID() == arrow.NULL {
		return nil
	}
	switch a := a.(type) {
	case *array.Boolean:
		return a.Value(i)
	case *array.Int8:
		return int64(a.Value(i))
	case *array.Int16:
		return int64(a.Value(i))
	case *array.Int32:
		return int64(a.Value(i))
	case *array.Int64:
		return a.Value(i)
	case *array.Uint8:
		return uint64(a.Value(i))
	case *array.Uint16:
		return uint64(a.Value(i))
	case *array.Uint32:
		return uint64(a.Value(i))
	case *array.Uint64:
		return a.Value(i)
	case *array.Float32:
		return float64(a.Value(i))
	case *array.Float64:
		return a.Value(i)
	case *array.Date32:
		return int64(a.Value(i))
	case *array.Timestamp:
		return int64(a.Value(i))
	case *array.Time32:
		return int64(a.Value(i))
	case *array.Time64:
		return int64(a.Value(i))
	case *array.Duration:
		return int64(a.Value(i))
	case *array.Decimal128:
		return a.Value(i)
	case *array.String:
		return strings.Clone(a.Value(i))
	case *array.Binary:
		return string(a.Value(i))
	case *array.Dictionary:
		return valueOf(a.Dictionary(), a.GetValueIndex(i))
	default:
		panic(fmt.Sprintf("no value for %T", a))
	}
}

// batchOf makes a batch from columns of Go values; nil is null. Types follow from
// the schema.
func batchOf(schema *arrow.Schema, rows ...[]any) arrow.RecordBatch {
	builder := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer builder.Release()
	for _, row := range rows {
		for i, value := range row {
			appendValue(builder.Field(i), value)
		}
	}
	return builder.NewRecordBatch()
}

func appendValue(b array.Builder, value any) {
	if value == nil {
		b.AppendNull()
		return
	}
	switch b := b.(type) {
	case *array.BooleanBuilder:
		b.Append(value.(bool))
	case *array.Int8Builder:
		b.Append(int8(value.(int)))
	case *array.Int16Builder:
		b.Append(int16(value.(int)))
	case *array.Int32Builder:
		b.Append(int32(value.(int)))
	case *array.Int64Builder:
		b.Append(int64(value.(int)))
	case *array.Uint8Builder:
		b.Append(uint8(value.(int)))
	case *array.Uint16Builder:
		b.Append(uint16(value.(int)))
	case *array.Uint32Builder:
		b.Append(uint32(value.(int)))
	case *array.Uint64Builder:
		if v, ok := value.(uint64); ok {
			b.Append(v)
		} else {
			b.Append(uint64(value.(int)))
		}
	case *array.Float32Builder:
		b.Append(float32(value.(float64)))
	case *array.Float64Builder:
		b.Append(value.(float64))
	case *array.Date32Builder:
		b.Append(arrow.Date32(value.(int)))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(value.(int)))
	case *array.Time32Builder:
		b.Append(arrow.Time32(value.(int)))
	case *array.Time64Builder:
		b.Append(arrow.Time64(value.(int)))
	case *array.DurationBuilder:
		b.Append(arrow.Duration(value.(int)))
	case *array.Decimal128Builder:
		b.Append(value.(decimal128.Num))
	case *array.StringBuilder:
		b.Append(value.(string))
	case *array.BinaryBuilder:
		b.Append([]byte(value.(string)))
	case *array.BinaryDictionaryBuilder:
		if err := b.AppendString(value.(string)); err != nil {
			panic(err)
		}
	default:
		panic(fmt.Sprintf("no builder %T", b))
	}
}

func field(name string, typ arrow.DataType) arrow.Field {
	return arrow.Field{Name: name, Type: typ, Nullable: true}
}

var (
	int64Type   = arrow.PrimitiveTypes.Int64
	float64Type = arrow.PrimitiveTypes.Float64
	stringType  = arrow.BinaryTypes.String
	codedType   = &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}
)

func TestChunksOfOtherColumnsEndTheNode(t *testing.T) {
	a := batchOf(arrow.NewSchema([]arrow.Field{field("n", int64Type)}, nil), []any{1})
	b := batchOf(arrow.NewSchema([]arrow.Field{field("n", float64Type)}, nil), []any{1.0})
	for name, node := range map[string]transform{
		"filter": func(in, out *sluice.Channel) (string, func(context.Context) error, sluice.Port, sluice.Port) {
			return Filter{Where: "n is not null"}.Node("node", in, out)
		},
		"aggregate": func(in, out *sluice.Channel) (string, func(context.Context) error, sluice.Port, sluice.Port) {
			return Aggregate{By: []string{"n"}}.Node("node", in, out)
		},
		"sort": func(in, out *sluice.Channel) (string, func(context.Context) error, sluice.Port, sluice.Port) {
			return Sort{By: []SortKey{{Column: "n"}}}.Node("node", in, out)
		},
	} {
		_, _, err := through(t, node, a, b)
		if err == nil || !strings.Contains(err.Error(), `chunk 1: column 0 is "n" of type float64`) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAPayloadThatIsNoChunkEndsTheNode(t *testing.T) {
	net := sluice.NewNetwork("test")
	in, out := net.Channel("in"), net.Channel("out")
	net.Node("source", func(ctx context.Context) error {
		m := sluice.NewMessage(0, "text")
		return in.Send(ctx, &m)
	}, sluice.Writes(in))
	net.Node(Filter{Where: "n is not null"}.Node("filter", in, out))
	net.Node("sink", func(ctx context.Context) error {
		_, err := out.Recv(ctx)
		return err
	}, sluice.Reads(out))
	var wrong *sluice.TypeError
	if err := net.Run(context.Background()); !errors.As(err, &wrong) {
		t.Fatalf("%v, want a TypeError", err)
	}
}

func TestNodesStopWhenNobodyWantsMore(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("n", int64Type)}, nil)
	var batches []arrow.RecordBatch
	for i := range 20 {
		batches = append(batches, batchOf(schema, []any{i}))
	}
	for name, node := range map[string]transform{
		"filter": func(in, out *sluice.Channel) (string, func(context.Context) error, sluice.Port, sluice.Port) {
			return Filter{Where: "n is not null"}.Node("node", in, out)
		},
		"aggregate": func(in, out *sluice.Channel) (string, func(context.Context) error, sluice.Port, sluice.Port) {
			return Aggregate{By: []string{"n"}}.Node("node", in, out)
		},
		"sort": func(in, out *sluice.Channel) (string, func(context.Context) error, sluice.Port, sluice.Port) {
			return Sort{By: []SortKey{{Column: "n"}}, Limit: 3}.Node("node", in, out)
		},
	} {
		mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
		net := sluice.NewNetwork("test")
		in, out := net.Channel("in"), net.Channel("out")
		net.Node("source", source(in, batches...), sluice.Writes(in))
		net.Node(node(in, out))
		net.Node("sink", func(ctx context.Context) error {
			m, err := out.Recv(ctx)
			m.Release()
			return err
		}, sluice.Reads(out))
		if err := net.Run(withAllocator(context.Background(), mem)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		assertNoLeak(t, mem)
	}
}
