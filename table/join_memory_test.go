package table

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
)

// keyed are rows with a key, their number, and some text of which there is none in each seventh. Text of
// the other rows can be told from their number.
type keyed struct {
	rows int
	key  func(row int) (key int, null bool)
	text int // bytes, at least
}

var keyedSchema = arrow.NewSchema([]arrow.Field{field("k", int64Type), field("n", int64Type), field("text", stringType)}, nil)

func (k keyed) textOf(n int) string { return fmt.Sprintf("%0*d", k.text, n) }

// isTextOf compares a text with textOf, which takes long; by its ends and its length, or in whole.
func (k keyed) isTextOf(n int, text string, whole bool) bool {
	if whole {
		return text == k.textOf(n)
	}
	return len(text) == k.text && text[0] == '0' && strings.HasSuffix(text, strconv.Itoa(n))
}

// source returns a node that makes the rows, and sends them in chunks.
func (k keyed) source(out *sluice.Channel) func(context.Context) error {
	return func(ctx context.Context) error {
		from := budgetOf(ctx)
		chunk := int(max(8<<10, min(from.limit/32, 1<<20))) / (32 + k.text)
		seq := sluice.SeqNum(0)
		for row := 0; row < k.rows || row == 0; seq++ {
			n := min(chunk, k.rows-row)
			res, err := from.reserve(ctx, int64(n)*int64(32+k.text+8)+1024)
			if err != nil {
				return err
			}
			own := newAllocator(ctx, res)
			b := array.NewRecordBuilder(own, keyedSchema)
			b.Reserve(n)
			b.Field(2).(*array.StringBuilder).ReserveData(n * (k.text + 8))
			for range n {
				key, null := k.key(row)
				if null {
					b.Field(0).AppendNull()
				} else {
					b.Field(0).(*array.Int64Builder).Append(int64(key))
				}
				b.Field(1).(*array.Int64Builder).Append(int64(row))
				if row%7 == 0 {
					b.Field(2).AppendNull()
				} else {
					b.Field(2).(*array.StringBuilder).Append(k.textOf(row))
				}
				row++
			}
			made := own.Chunk(b.NewRecordBatch())
			b.Release()
			res.Release()
			if err := send(ctx, out, seq, made); err != nil {
				return err
			}
			if k.rows == 0 {
				return nil
			}
		}
		return nil
	}
}

// seen counts how often each row of both sides came out, beside how many rows. It says what is wrong with a row.
type seen struct {
	left, right [][2]int // by number: beside a row of the other side, and alone
	rows        int
}

func (s *seen) add(t failer, sides [2]keyed, batch arrow.RecordBatch) {
	column := func(i int) *array.Int64 { return batch.Column(i).(*array.Int64) }
	check := func(k keyed, at, row int) (n int, there bool) {
		if column(at + 1).IsNull(row) {
			if column(at).IsValid(row) || batch.Column(at+2).IsValid(row) {
				t.Errorf("half a row: %v", batch.NewSlice(int64(row), int64(row)+1))
			}
			return 0, false
		}
		n = int(column(at + 1).Value(row))
		key, null := k.key(n)
		text := batch.Column(at + 2).(*array.String)
		if null != column(at).IsNull(row) || !null && column(at).Value(row) != int64(key) || (n%7 == 0) != text.IsNull(row) ||
			n%7 != 0 && !k.isTextOf(n, text.Value(row), s.rows%64 == 0) {
			t.Errorf("row %d is not what was sent", n)
		}
		return n, true
	}
	for row := range int(batch.NumRows()) {
		s.rows++
		l, isLeft := check(sides[0], 0, row)
		r, isRight := 0, false
		if batch.NumCols() > 3 {
			r, isRight = check(sides[1], 3, row)
		}
		alone := 1
		if isLeft && isRight {
			alone = 0
			if column(0).IsNull(row) || column(0).Value(row) != column(3).Value(row) {
				t.Errorf("rows %d and %d do not match", l, r)
			}
		}
		if isLeft {
			s.left[l][alone]++
		}
		if isRight {
			s.right[r][alone]++
		}
	}
}

// wanted is what is to be seen.
func wanted(kind JoinKind, sides [2]keyed) (w seen) {
	w.left, w.right = make([][2]int, sides[0].rows), make([][2]int, sides[1].rows)
	var count [2]map[int]int
	for s, k := range sides {
		count[s] = make(map[int]int)
		for row := range k.rows {
			if key, null := k.key(row); !null {
				count[s][key]++
			}
		}
	}
	for s, of := range [2][][2]int{w.left, w.right} {
		for row := range of {
			key, null := sides[s].key(row)
			matches := count[1-s][key]
			if null {
				matches = 0
			}
			switch {
			case kind.halves():
				if s == 0 && (matches > 0) == (kind == SemiJoin) {
					of[row][1] = 1
					w.rows++
				}
			case matches > 0:
				of[row][0] = matches
				w.rows += (1 - s) * matches
			case kind.emits(side(s)):
				of[row][1] = 1
				w.rows++
			}
		}
	}
	return w
}

// joinKeyed joins rows and compares what comes out with what should.
func joinKeyed(t *testing.T, r *mem.Resource, j Join, sides [2]keyed) {
	t.Helper()
	net, out := joinNetwork(t, r, j, sides, func(*joining) {})
	runJoin(t, net, out, j, sides)
}

func joinNetwork(t *testing.T, r *mem.Resource, j Join, sides [2]keyed, change func(*joining)) (*sluice.Network, *sluice.Channel) {
	t.Helper()
	net := sluice.NewNetwork("test", sluice.WithMemory(r))
	l, rt, out := net.Channel("l"), net.Channel("r"), net.Channel("out")
	net.Node("left", sides[0].source(l), sluice.Writes(l))
	net.Node("right", sides[1].source(rt), sluice.Writes(rt))
	j.On = []JoinKey{{"k", "k"}}
	net.Node("join", func(ctx context.Context) error {
		run := newJoining(ctx, j, "join", [2]*sluice.Channel{l, rt}, out)
		defer run.release()
		change(run)
		return run.run(ctx)
	}, sluice.Reads(l, rt).At(mem.Host), sluice.Writes(out))
	return net, out
}

// runJoin reads what comes out, and then ends the channels ends.
func runJoin(t *testing.T, net *sluice.Network, out *sluice.Channel, j Join, sides [2]keyed, ends ...*sluice.Channel) {
	t.Helper()
	got := seen{left: make([][2]int, sides[0].rows), right: make([][2]int, sides[1].rows)}
	net.Node("sink", func(ctx context.Context) error {
		return eachChunk(ctx, out, func(_ *sluice.Message, chunk *Chunk) error {
			got.add(t, sides, chunk.Batch())
			if t.Failed() {
				return errors.New("rows are wrong")
			}
			return nil
		})
	}, reads(out), sluice.Writes(ends...))
	if err := net.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := wanted(j.Kind, sides)
	if got.rows != want.rows || !slices.Equal(got.left, want.left) || !slices.Equal(got.right, want.right) {
		t.Fatalf("%d rows came out, %d should, or not those", got.rows, want.rows)
	}
}

// spread mixes so many keys, and nulls.
func spread(keys int) func(int) (int, bool) {
	return func(row int) (int, bool) { return rand.New(rand.NewPCG(uint64(row), 1)).IntN(keys), row%97 == 0 }
}

func oneKey(row int) (int, bool) { return 7, false }

// skewed has a half of its rows in one key.
func skewed(keys int) func(int) (int, bool) {
	others := spread(keys)
	return func(row int) (int, bool) {
		if row%2 == 0 {
			return 7, false
		}
		return others(row)
	}
}

func nothingButNull(int) (int, bool) { return 0, true }

// Both sides are several times larger than the limit, in all shapes of keys. That each kind of join is right
// however it goes about it, [TestJoinsAreThoseOfANestedLoop] shows.
func TestJoinsLargerThanMemoryGiveTheRightRows(t *testing.T) {
	const rows = 15000
	shapes := map[string][2]keyed{
		"spread":       {{rows, spread(rows), 40}, {rows, spread(rows), 40}},
		"one is small": {{rows, spread(rows), 40}, {300, spread(rows), 40}},
		"skewed left":  {{rows, skewed(rows), 40}, {rows, spread(rows), 40}},
		"skewed both":  {{300, skewed(300), 900}, {250, skewed(250), 1200}},
		"one key":      {{40, oneKey, 12000}, {36, oneKey, 15000}},
		"nulls":        {{rows, nothingButNull, 40}, {rows, spread(rows), 40}},
		"no left":      {{0, spread(rows), 40}, {rows, spread(rows), 40}},
		"no right":     {{rows, spread(rows), 40}, {0, spread(rows), 40}},
	}
	for i, shape := range slices.Sorted(maps.Keys(shapes)) {
		sides := shapes[shape]
		for _, kind := range []string{joinKinds[i%len(joinKinds)], joinKinds[(i+3)%len(joinKinds)]} {
			t.Run(fmt.Sprintf("%s, %s", kind, shape), func(t *testing.T) {
				r := newResource(t, 512<<10)
				joinKeyed(t, r, Join{Kind: JoinKind(kind)}, sides)
				// Where one side is small, or has no keys that match anything, the other need not be kept.
				if shape != "one is small" && shape != "nulls" && sides[0].rows > 0 && sides[1].rows > 0 {
					assertWithin(t, r, true)
				}
			})
		}
	}
}

// Two sides of 100 MB each are joined in 64 MiB, and of 25 MB each in 16 MiB.
func TestAJoinOfTwoSidesThatBothExceedTheLimit(t *testing.T) {
	if testing.Short() {
		t.Skip("joins 250 MB")
	}
	for _, tt := range []struct {
		kind JoinKind
		rows int
		host int64
	}{{InnerJoin, 400_000, 64 << 20}, {FullJoin, 100_000, 16 << 20}} {
		if raceDetector || debugBuild {
			tt.rows, tt.host = 25_000, 4<<20
		}
		sides := [2]keyed{{tt.rows, spread(tt.rows), 220}, {tt.rows, skewed(tt.rows * tt.rows), 220}}
		r := newResource(t, tt.host)
		start := time.Now()
		joinKeyed(t, r, Join{Kind: tt.kind}, sides)
		assertWithin(t, r, true)
		stats := r.Stats().Kinds[mem.Host]
		t.Logf("%s: %v, %d MiB of %d MiB were spilled", tt.kind, time.Since(start).Round(time.Millisecond), stats.Spilled>>20, 2*int64(tt.rows)*250>>20)
	}
}

// A node that keeps much for long leaves no room for the tables that the limit allows.
func TestAJoinMakesDoWithWhatOthersLeave(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a second for memory that does not come, several times")
	}
	sides := [2]keyed{{300, oneKey, 1500}, {250, oneKey, 2000}}
	r := newResource(t, 1<<20)
	j := Join{Kind: FullJoin}
	held := make(chan struct{})
	net, out := joinNetwork(t, r, j, sides, func(run *joining) {
		<-held
		run.share = 3 << 19
	})
	done := net.Channel("done")
	net.Node("hog", func(ctx context.Context) error {
		res, err := r.Reserve(ctx, mem.Host, 700<<10)
		if err != nil {
			return err
		}
		defer res.Release()
		close(held)
		_, err = done.Recv(ctx) // io.EOF once all is joined
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	}, sluice.Reads(done))
	runJoin(t, net, out, j, sides, done)
	assertWithin(t, r, true)
}
