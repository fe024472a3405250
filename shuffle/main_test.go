package shuffle_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/shuffle"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errBoom = errors.New("boom")

// failer is what testing.T and rapid.T have in common.
type failer interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// A record is a row: key is split by, and id tells who inserted it, and when.
type record struct{ key, id uint64 }

const recordBytes = 16

func idOf(producer, n int) uint64 { return uint64(producer)<<32 | uint64(n) }

// records is a payload of rows.
type records struct {
	*mem.Buffer
	packed  *mem.Packed               // instead of the buffer, of what a packer has packed
	onSpill func(ctx context.Context) // is called before each Spill, if not nil
	moving  atomic.Bool               // in Spill
}

func (r *records) Content() mem.Content {
	if r.packed != nil {
		return r.packed.Content()
	}
	return r.Buffer.Content()
}

func (r *records) Restore(ctx context.Context, res *mem.Reservation) (int64, error) {
	if r.packed == nil {
		return r.Buffer.Restore(ctx, res)
	}
	buffers, err := r.packed.Restore(ctx, res, r.packed.Size())
	if err != nil {
		return 0, err
	}
	r.Buffer, r.packed = buffers[0], nil
	return r.Size(), nil
}

func (r *records) Spill(ctx context.Context, res *mem.Reservation) (int64, error) {
	r.moving.Store(true)
	defer r.moving.Store(false)
	if r.onSpill != nil {
		r.onSpill(ctx)
	}
	return r.Buffer.Spill(ctx, res)
}

func (r *records) Release() {
	if r.moving.Load() {
		panic("released while it is spilled")
	}
	if r.packed != nil {
		r.packed.Release()
	}
	r.Buffer.Release()
}

func newRecords(res *mem.Reservation, rows []record) (*records, error) {
	b, err := res.Alloc(mem.Host, int64(len(rows))*recordBytes, nil)
	if err != nil {
		return nil, err
	}
	bytes, err := b.Exclusive()
	if err != nil {
		return nil, err
	}
	for i, r := range rows {
		binary.LittleEndian.PutUint64(bytes[i*recordBytes:], r.key)
		binary.LittleEndian.PutUint64(bytes[i*recordBytes+8:], r.id)
	}
	return &records{Buffer: b}, nil
}

// reserved makes a payload in memory that it reserves.
func reserved(ctx context.Context, rows []record) (*records, error) {
	res, err := mem.FromContext(ctx).Reserve(ctx, mem.Host, int64(len(rows))*recordBytes)
	if err != nil {
		return nil, err
	}
	defer res.Release()
	return newRecords(res, rows)
}

func (r *records) rows() ([]record, error) {
	bytes, err := r.Bytes()
	if err != nil {
		return nil, err
	}
	rows := make([]record, len(bytes)/recordBytes)
	for i := range rows {
		rows[i].key = binary.LittleEndian.Uint64(bytes[i*recordBytes:])
		rows[i].id = binary.LittleEndian.Uint64(bytes[i*recordBytes+8:])
	}
	return rows, nil
}

// byKey splits records.
type byKey struct {
	splits atomic.Int64
	// onSplit is called with the number of each Split, which fails with what it returns.
	onSplit func(n int64) error
	onSpill func(ctx context.Context) // of what it makes
}

func (p *byKey) At() mem.Kind { return mem.Host }

func (p *byKey) Measure(payload any) (shuffle.Size, error) {
	r, ok := payload.(*records)
	if !ok {
		return shuffle.Size{}, fmt.Errorf("%T is no records", payload)
	}
	return shuffle.Size{Rows: r.Size() / recordBytes, Bytes: r.Size()}, nil
}

// part is where a key belongs.
func part(key uint64, parts shuffle.Parts) int {
	for range parts.Level {
		key /= uint64(parts.N)
	}
	return int(key % uint64(parts.N))
}

func (p *byKey) Split(ctx context.Context, payloads []any, parts shuffle.Parts, res *mem.Reservation) ([]any, error) {
	n := p.splits.Add(1)
	split := make([][]record, parts.N)
	var need int64
	for _, payload := range payloads {
		rows, err := payload.(*records).rows()
		if err != nil {
			return nil, err
		}
		need += payload.(*records).Size()
		for _, r := range rows {
			split[part(r.key, parts)] = append(split[part(r.key, parts)], r)
		}
	}
	if left := res.Left(mem.Host); res != nil && left != need {
		return nil, fmt.Errorf("%d bytes are reserved for a split that takes %d", left, need)
	}
	made := make([]any, parts.N)
	done := false
	defer func() {
		for _, m := range made {
			if m != nil && !done {
				m.(*records).Release()
			}
		}
	}()
	for i, rows := range split {
		if len(rows) == 0 {
			continue
		}
		r, err := newRecords(res, rows)
		if err != nil {
			return nil, err
		}
		r.onSpill = p.onSpill
		made[i] = r
		if i >= parts.N/2 && p.onSplit != nil {
			if err := p.onSplit(n); err != nil {
				return nil, err
			}
		}
	}
	done = true
	return made, nil
}

// A packer also packs them.
type packer struct {
	byKey
	packs, packed atomic.Int64 // how often, and how many payloads
	onPack        func()       // is called by each Pack, if not nil
}

func (p *packer) Pack(ctx context.Context, label string, payloads []any, res *mem.Reservation) (any, int, error) {
	if p.onPack != nil {
		p.onPack()
	}
	n := len(payloads)
	var parts [][]byte
	var size int64
	for i, payload := range payloads {
		r := payload.(*records)
		if i > 0 && mem.Need(mem.Disk, size+r.Size()) > res.Left(mem.Disk) {
			n = i
			break
		}
		bytes, err := r.Bytes()
		if err != nil {
			return nil, 0, err
		}
		parts, size = append(parts, bytes), size+r.Size()
	}
	packed, err := mem.PackBytes(ctx, res, label, payloads[0].(*records).Buffer, parts...)
	if err != nil {
		return nil, 0, err
	}
	p.packs.Add(1)
	p.packed.Add(int64(n))
	for _, payload := range payloads[:n] {
		payload.(*records).Release()
	}
	return &records{packed: packed}, n, nil
}

// newMemory returns a resource with a limit of host memory, and what to call at the end: that
// says what was not given back, or is left in the spill directory.
func newMemory(t failer, dir string, host int64) (r *mem.Resource, check func()) {
	t.Helper()
	dir, err := os.MkdirTemp(dir, "spill")
	if err != nil {
		t.Fatalf("%v", err)
	}
	r, err = mem.New(mem.Options{
		Limits: [mem.Kinds]mem.Limit{
			mem.Device: mem.Bytes(0), mem.Pinned: mem.Bytes(0), mem.Host: mem.Bytes(host), mem.Disk: mem.Bytes(1 << 30),
		},
		SpillDir: dir,
	})
	if err != nil {
		t.Fatalf("%v", err)
	}
	return r, func() {
		t.Helper()
		if s := r.Stats().Kinds[mem.Host]; s.Overbooked != 0 || s.Peak > s.Limit {
			t.Errorf("%d bytes of %d were taken, overbooked by %d", s.Peak, s.Limit, s.Overbooked)
		}
		if err := r.Close(context.Background()); err != nil {
			t.Errorf("%v", err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("left in the spill directory: %v, %v", left, err)
		}
	}
}

// inNode runs a function as the node of a network, which has memory and looks for leaks.
func inNode(ctx context.Context, r *mem.Resource, run func(ctx context.Context) error) error {
	net := sluice.NewNetwork("test", sluice.WithMemory(r))
	net.Node("node", run)
	return net.Run(ctx)
}

// A group is goroutines of which the first error counts, and ends the context of the others.
type group struct {
	all   sync.WaitGroup
	first sync.Once
	err   error
	stop  context.CancelFunc
}

func newGroup(ctx context.Context) (*group, context.Context) {
	ctx, stop := context.WithCancel(ctx)
	return &group{stop: stop}, ctx
}

func (g *group) start(f func() error) {
	g.all.Go(func() {
		if err := f(); err != nil {
			g.first.Do(func() { g.err = err })
			g.stop()
		}
	})
}

func (g *group) wait() error {
	g.all.Wait()
	g.stop()
	return g.err
}

// insert makes payloads of rows and inserts them.
func insert(ctx context.Context, s *shuffle.Shuffle, payloads [][]record) error {
	for _, rows := range payloads {
		r, err := reserved(ctx, rows)
		if err != nil {
			return err
		}
		if err := s.Insert(ctx, r); err != nil {
			r.Release()
			return err
		}
	}
	return nil
}

// collected is what came out of the partitions, in order.
type collected struct {
	mu   sync.Mutex
	rows [][]record
}

// takeAll takes all partitions of a shuffle. Those of more than most rows are split again.
func (c *collected) takeAll(ctx context.Context, s *shuffle.Shuffle, most int64) error {
	for {
		p, err := s.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := c.take(ctx, p, most); err != nil {
			return err
		}
	}
}

func (c *collected) take(ctx context.Context, p *shuffle.Partition, most int64) error {
	if p.Rows() > most && p.Level() < 3 {
		again, err := p.Split(ctx, 2)
		if err != nil {
			return err
		}
		defer again.Close()
		return c.takeAll(ctx, again, most)
	}
	want, bytes := p.Rows(), p.Bytes()
	var rows []record
	for {
		payload, err := p.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		r := payload.(*records)
		some, err := r.rows()
		r.Release()
		if err != nil {
			return err
		}
		rows = append(rows, some...)
	}
	if int64(len(rows)) != want || bytes != want*recordBytes {
		return fmt.Errorf("a partition said it had %d rows in %d bytes, and had %d", want, bytes, len(rows))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rows = append(c.rows, rows)
	return nil
}

// check compares what came out with what went in: every row once, all of a key together, and
// those of a producer in order.
func (c *collected) check(t failer, in [][]record) {
	t.Helper()
	found := map[uint64]bool{}
	where := map[uint64]int{}
	for at, rows := range c.rows {
		last := map[uint64]uint64{}
		for _, r := range rows {
			if found[r.id] {
				t.Fatalf("row %x came out twice", r.id)
			}
			found[r.id] = true
			if before, ok := where[r.key]; ok && before != at {
				t.Fatalf("key %d is in two partitions", r.key)
			}
			where[r.key] = at
			producer := r.id >> 32
			if last[producer] > r.id {
				t.Fatalf("row %x of producer %d came after row %x", r.id, producer, last[producer])
			}
			last[producer] = r.id
		}
	}
	for _, r := range slices.Concat(in...) {
		if !found[r.id] {
			t.Fatalf("row %x is missing", r.id)
		}
		delete(found, r.id)
	}
	if len(found) > 0 {
		t.Fatalf("%d rows came out that never went in", len(found))
	}
}
