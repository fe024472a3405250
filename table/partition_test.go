package table

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/shuffle"
)

// inNode runs a function as a node of a network.
func inNode(ctx context.Context, r *mem.Resource, run func(ctx context.Context) error) error {
	net := sluice.NewNetwork("test", sluice.WithMemory(r))
	net.Node("node", run)
	return net.Run(ctx)
}

// shuffled inserts batches as counted chunks, some of them by each of several producers, and
// returns the rows of each partition.
func shuffled(
	ctx context.Context, opts shuffle.Options, batches []arrow.RecordBatch,
) (parts [][][]any, err error) {
	s, err := shuffle.New(ctx, opts)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	errs := make([]error, opts.Producers)
	var all sync.WaitGroup
	for p := range opts.Producers {
		all.Go(func() {
			for i := p; i < len(batches) && errs[p] == nil; i += opts.Producers {
				errs[p] = insertCopy(ctx, s, batches[i])
			}
			if errs[p] == nil {
				errs[p] = s.Finish(ctx)
			}
			if errs[p] != nil {
				s.Abort(errs[p])
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	for {
		part, err := s.Next(ctx)
		if errors.Is(err, io.EOF) {
			return parts, nil
		}
		var rows [][]any
		for err == nil {
			var payload any
			if payload, err = part.Next(ctx); err == nil {
				rows = append(rows, rowsOf(payload.(*Chunk).Batch())...)
				payload.(*Chunk).Release()
			}
		}
		if !errors.Is(err, io.EOF) {
			return nil, err
		}
		parts = append(parts, rows)
	}
}

func insertCopy(ctx context.Context, s *shuffle.Shuffle, batch arrow.RecordBatch) error {
	res, err := budgetOf(ctx).reserve(ctx, batchCopyBytes(batch))
	if err != nil {
		return err
	}
	own := newAllocator(ctx, res)
	chunk := own.Chunk(copyBatch(own, batch))
	res.Release()
	if err := s.Insert(ctx, chunk); err != nil {
		chunk.Release()
		return err
	}
	return nil
}

func TestPartitionsOfRandomChunksHaveAllRowsOfTheirKeys(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		schema := everyType()
		batches := drawBatches(t, schema)
		defer func() {
			for _, b := range batches {
				b.Release()
			}
		}()
		var keys []string
		var keyColumns []int
		for range rapid.IntRange(0, 3).Draw(t, "keys") {
			i := rapid.IntRange(0, schema.NumFields()-1).Draw(t, "key")
			keys, keyColumns = append(keys, schema.Field(i).Name), append(keyColumns, i)
		}
		opts := shuffle.Options{
			Name: "test", By: ByKey(keys...),
			Parts: rapid.IntRange(1, 5).Draw(t, "parts"), Level: rapid.IntRange(0, 2).Draw(t, "level"),
			Producers:  rapid.IntRange(1, 2).Draw(t, "producers"),
			PieceBytes: rapid.SampledFrom([]int64{0, 1, 512}).Draw(t, "piece"),
		}
		var r *mem.Resource
		limit := rapid.SampledFrom([]int64{0, 96 << 10, 1 << 20}).Draw(t, "limit")
		if limit > 0 {
			r = makeResource(dir, limit)
		}
		var parts [][][]any
		err := inNode(context.Background(), r, func(ctx context.Context) (err error) {
			parts, err = shuffled(ctx, opts, batches)
			return err
		})
		if err != nil {
			t.Fatalf("%v", err)
		}
		if r != nil {
			if host := r.Stats().Kinds[mem.Host]; host.Overbooked != 0 {
				t.Errorf("overbooked by %d: Measure says too little", host.Overbooked)
			}
			if err := r.Close(context.Background()); err != nil {
				t.Errorf("%v", err)
			}
		}
		where := map[string]int{}
		var got []string
		for part, rows := range parts {
			for _, row := range rows {
				var key [][]any
				for _, i := range keyColumns {
					key = append(key, []any{row[i]})
				}
				text := fmt.Sprint(asText(key))
				if other, ok := where[text]; ok && other != part {
					t.Fatalf("key %s is in partitions %d and %d", text, part, other)
				}
				where[text] = part
			}
			got = append(got, asText(rows)...)
		}
		want := asText(allRows(batches))
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("got rows\n%q, want\n%q", got, want)
		}
	})
}

// column makes a batch with one column, called k.
func keyBatch(typ arrow.DataType, values ...any) arrow.RecordBatch {
	builder := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{field("k", typ)}, nil))
	defer builder.Release()
	for _, v := range values {
		appendValue(builder.Field(0), v)
	}
	return builder.NewRecordBatch()
}

// partitionsOf returns the partition of each row.
func partitionsOf(batch arrow.RecordBatch, parts shuffle.Parts) []uint16 {
	of := make([]uint16, batch.NumRows())
	newKeyHash(1).partitions([]view{newView(batch.Column(0))}, parts, of)
	return of
}

func TestEqualKeysOfDifferentTypesGoTheSameWay(t *testing.T) {
	parts := shuffle.Parts{N: 1 << 16}
	small := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: stringType}
	for _, same := range [][]arrow.RecordBatch{
		{
			keyBatch(arrow.PrimitiveTypes.Int8, -1, 0, 7, nil), keyBatch(arrow.PrimitiveTypes.Int16, -1, 0, 7, nil),
			keyBatch(arrow.PrimitiveTypes.Int32, -1, 0, 7, nil), keyBatch(arrow.PrimitiveTypes.Int64, -1, 0, 7, nil),
		},
		{
			keyBatch(arrow.PrimitiveTypes.Int64, 5, 255), keyBatch(arrow.PrimitiveTypes.Uint8, 5, 255),
			keyBatch(arrow.PrimitiveTypes.Uint16, 5, 255), keyBatch(arrow.PrimitiveTypes.Uint32, 5, 255),
			keyBatch(arrow.PrimitiveTypes.Uint64, uint64(5), uint64(255)),
		},
		{keyBatch(arrow.PrimitiveTypes.Float32, 0.5, math.NaN(), 0.0), keyBatch(arrow.PrimitiveTypes.Float64, 0.5, math.NaN(), math.Copysign(0, -1))},
		{
			keyBatch(stringType, "a", "", nil, "b", "a"), keyBatch(codedType, "a", "", nil, "b", "a"),
			keyBatch(small, "a", "", nil, "b", "a"), keyBatch(arrow.BinaryTypes.Binary, "a", "", nil, "b", "a"),
		},
	} {
		want := partitionsOf(same[0], parts)
		for _, other := range same {
			if got := partitionsOf(other, parts); !slices.Equal(got, want) {
				t.Errorf("%v goes to %v, %v to %v", same[0].Column(0), want, other.Column(0), got)
			}
			other.Release()
		}
	}
}

func TestNullsAreEqualWhateverLiesUnderThem(t *testing.T) {
	values := make([]any, 3000)
	for i := range values {
		values[i] = i
	}
	full := keyBatch(arrow.PrimitiveTypes.Int64, values...)
	defer full.Release()
	data := full.Column(0).Data()
	none := memory.NewBufferBytes(make([]byte, 375)) // of 3000 rows, none is valid
	nulls := array.NewData(data.DataType(), data.Len(), []*memory.Buffer{none, data.Buffers()[1]}, nil, data.Len(), 0)
	defer nulls.Release()
	column := array.MakeFromData(nulls)
	defer column.Release()
	batch := array.NewRecordBatch(full.Schema(), []arrow.Array{column}, 3000)
	defer batch.Release()
	if of := partitionsOf(batch, shuffle.Parts{N: 1 << 16}); len(slices.Compact(of)) != 1 {
		t.Error("nulls go different ways")
	}
}

func TestTextAndNullsGoTheSameWayInADictionary(t *testing.T) {
	values := make([]any, 5000)
	for i := range values {
		if i%3 != 1 {
			values[i] = fmt.Sprint(i % 100)
		}
	}
	plain, coded := keyBatch(stringType, values...), keyBatch(codedType, values...)
	defer plain.Release()
	defer coded.Release()
	parts := shuffle.Parts{N: 1 << 16}
	if !slices.Equal(partitionsOf(plain, parts), partitionsOf(coded, parts)) {
		t.Error("the rows go different ways")
	}
}

// A level spreads what is in one partition of another, whichever column makes keys differ, and
// whichever bits of it.
func TestKeysSpreadEvenlyAtEveryLevel(t *testing.T) {
	const keys, n = 1 << 16, 16
	values, same := make([]any, keys), make([]any, keys)
	decimals := make([]any, keys)
	for i := range values {
		values[i], same[i], decimals[i] = i*1024, 1, decimal128.New(int64(i), 0)
	}
	number, constant := keyBatch(arrow.PrimitiveTypes.Int64, values...), keyBatch(arrow.PrimitiveTypes.Int64, same...)
	decimal := keyBatch(&arrow.Decimal128Type{Precision: 38}, decimals...)
	defer number.Release()
	defer constant.Release()
	defer decimal.Release()
	for _, key := range [][]view{
		{newView(number.Column(0))},
		{newView(constant.Column(0)), newView(number.Column(0))},
		{newView(decimal.Column(0))},
	} {
		first, second := make([]uint16, keys), make([]uint16, keys)
		newKeyHash(len(key)).partitions(key, shuffle.Parts{N: n}, first)
		newKeyHash(len(key)).partitions(key, shuffle.Parts{N: n, Level: 1}, second)
		var count [n][n]int
		for i := range first {
			count[first[i]][second[i]]++
		}
		for i := range count {
			for j, got := range count[i] {
				if want := keys / n / n; got < want/2 || got > 2*want {
					t.Errorf("%d keys are in partition %d, and %d at the next level, want about %d", got, i, j, want)
				}
			}
		}
	}
}

// splitAsMeasured splits batches with a reservation as large as Measure says, and says if more is taken.
func splitAsMeasured(t failer, r *mem.Resource, batches []arrow.RecordBatch, parts shuffle.Parts) {
	t.Helper()
	if len(batches) == 0 {
		return
	}
	by := ByKey(batches[0].Schema().Field(0).Name)
	var payloads []any
	defer func() { releaseChunks(payloads) }()
	var need, rows, perPart int64
	for _, batch := range batches {
		batch.Retain()
		payloads = append(payloads, NewChunk(batch))
		size, err := by.Measure(payloads[len(payloads)-1])
		if err != nil {
			t.Fatalf("%v", err)
		}
		need, rows, perPart = need+size.Bytes, rows+size.Rows, max(perPart, size.PerPart)
	}
	need += perPart * min(rows, int64(parts.N))
	res := reserved(t, r, mem.Host, need)
	made, err := by.Split(context.Background(), payloads, parts, res)
	if err != nil {
		t.Fatalf("%v", err)
	}
	releaseChunks(made)
	res.Release()
	if peak := r.Stats().Kinds[mem.Host].Peak; peak > need {
		t.Errorf("%d bytes were taken, %d measured", peak, need)
	}
	if err := r.Close(context.Background()); err != nil {
		t.Errorf("%v", err)
	}
}

func TestASplitTakesNoMoreThanWasMeasured(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		schema := everyType()
		if rapid.Bool().Draw(t, "one column") {
			schema = arrow.NewSchema([]arrow.Field{schema.Field(rapid.IntRange(0, schema.NumFields()-1).Draw(t, "column"))}, nil)
		}
		batches := drawBatches(t, schema)
		defer func() {
			for _, batch := range batches {
				batch.Release()
			}
		}()
		parts := shuffle.Parts{N: rapid.IntRange(1, 4).Draw(t, "parts")}
		splitAsMeasured(t, makeResource(dir, 1<<30), slices.Repeat(batches, rapid.SampledFrom([]int{1, 100}).Draw(t, "repeat")), parts)
	})
	text, bits := make([]any, 5000), make([]any, 5000)
	for i := range text {
		text[i] = fmt.Sprint("a text that is the same but for its number: ", i%100)
		if i%2 == 0 {
			bits[i] = true
		}
	}
	for _, batch := range []arrow.RecordBatch{
		keyBatch(stringType, text...), keyBatch(codedType, text...), keyBatch(arrow.FixedWidthTypes.Boolean, bits...),
	} {
		splitAsMeasured(t, makeResource(dir, 1<<30), []arrow.RecordBatch{batch}, shuffle.Parts{N: 1})
		batch.Release()
	}
}

func TestAPartitionerNamesWhatItCannotSplit(t *testing.T) {
	chunk := func(schema ...arrow.Field) *Chunk {
		return NewChunk(emptyBatch(t.Context(), arrow.NewSchema(schema, nil)))
	}
	number := chunk(field("k", arrow.PrimitiveTypes.Int64))
	text := chunk(field("k", stringType))
	list := chunk(field("l", arrow.ListOf(arrow.PrimitiveTypes.Int8)))
	defer number.Release()
	defer text.Release()
	defer list.Release()
	for want, measure := range map[string]func() error{
		"payload is a string, not a *table.Chunk": func() error { _, err := ByKey("k").Measure("text"); return err },
		`unknown column "key"; have k`:            func() error { _, err := ByKey("key").Measure(number); return err },
		`column 0 is "k" of type text, in the ones before "k" of type int64`: func() error {
			by := ByKey("k")
			if _, err := by.Measure(number); err != nil {
				return err
			}
			_, err := by.Measure(text)
			return err
		},
		`column "l" has type list<item: int8, nullable>, which is not supported`: func() error { _, err := ByKey().Measure(list); return err },
	} {
		if err := measure(); err == nil || err.Error() != want {
			t.Errorf("Measure returned %v, want %s", err, want)
		}
	}
}

// Rows outnumber what fits by far, text in dictionaries among them, and two producers split at once.
func TestPartitionsLargerThanMemoryComeOutWhole(t *testing.T) {
	r := newResource(t, 1<<20)
	rows, chunks := 4096, 64
	if raceDetector {
		chunks = 24
	}
	schema := arrow.NewSchema([]arrow.Field{
		field("number", arrow.PrimitiveTypes.Int64), field("coded", codedType), field("text", stringType),
	}, nil)
	var batches []arrow.RecordBatch
	for c := range chunks {
		builder := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		for i := range rows {
			n := c*rows + i
			appendValue(builder.Field(0), n)
			appendValue(builder.Field(1), fmt.Sprint("code ", n%100))
			if n%3 == 0 {
				appendValue(builder.Field(2), nil)
			} else {
				appendValue(builder.Field(2), fmt.Sprint(n))
			}
		}
		batches = append(batches, builder.NewRecordBatch())
		builder.Release()
		defer batches[c].Release()
	}
	seen := make([]bool, rows*chunks)
	way := map[string]int{}
	err := inNode(t.Context(), r, func(ctx context.Context) error {
		opts := shuffle.Options{Name: "test", By: ByKey("coded"), Parts: 8, Producers: 2}
		s, err := shuffle.New(ctx, opts)
		if err != nil {
			return err
		}
		defer s.Close()
		errs := make([]error, opts.Producers)
		var all sync.WaitGroup
		for p := range opts.Producers {
			all.Go(func() {
				for i := p; i < chunks && errs[p] == nil; i += opts.Producers {
					errs[p] = insertCopy(ctx, s, batches[i])
				}
				if errs[p] == nil {
					errs[p] = s.Finish(ctx)
				} else {
					s.Abort(errs[p])
				}
			})
		}
		all.Wait()
		if err := errors.Join(errs...); err != nil {
			return err
		}
		for {
			p, err := s.Next(ctx)
			if errors.Is(err, io.EOF) {
				return nil
			}
			for err == nil {
				var payload any
				if payload, err = p.Next(ctx); err != nil {
					break
				}
				chunk := payload.(*Chunk)
				numbers := chunk.Batch().Column(0).(*array.Int64)
				codes, text := chunk.Batch().Column(1).(*array.String), chunk.Batch().Column(2).(*array.String)
				for i := range chunk.Rows() {
					n := int(numbers.Value(i))
					code := codes.Value(i)
					if other, ok := way[code]; ok && other != p.Index() || seen[n] || code != fmt.Sprint("code ", n%100) ||
						text.IsNull(i) != (n%3 == 0) || n%3 != 0 && text.Value(i) != fmt.Sprint(n) {
						t.Errorf("row %d of partition %d is wrong, or there twice", n, p.Index())
					}
					seen[n], way[fmt.Sprint("code ", n%100)] = true, p.Index()
				}
				chunk.Release()
			}
			if !errors.Is(err, io.EOF) {
				return err
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(seen, false) {
		t.Error("rows are missing")
	}
	assertWithin(t, r, true)
}

func releaseChunks(made []any) {
	for _, chunk := range made {
		if chunk != nil {
			chunk.(*Chunk).Release()
		}
	}
}
