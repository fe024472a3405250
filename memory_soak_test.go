package sluice_test

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/ops"
)

// TestWithinATenthOfItsMemoryANetworkDeliversEveryByte runs random networks of twenty
// nodes, alone and by twos, in a tenth of the memory that their messages take: with
// fan-outs, with merges in order and as it comes, with work on the device, with state
// that nodes keep aside, and with slow consumers. Some nodes fail, some runs are
// cancelled. Whatever happens,
//
//   - in a run that nobody interrupted, every sink gets every message with the bytes
//     that went in, and some had to be spilled;
//   - an interrupted run returns the errors of those who failed, or the cause, and no
//     other: memory is nobody's excuse;
//   - nothing is used or reserved at the end, of no kind, nothing was overbooked, and the
//     spill directory is empty.
//
// SLUICE_SOAK_RUNS says how many runs on each device, SLUICE_SOAK_SEED which is the first.
func TestWithinATenthOfItsMemoryANetworkDeliversEveryByte(t *testing.T) {
	for _, on := range testDevices {
		t.Run(on.name, func(t *testing.T) {
			runs := 200
			switch {
			case testing.Short():
				runs = 20
			case raceDetector:
				runs = 50
			}
			if on.name != "host" { // where most of it is the same
				runs = max(20, runs/4)
			}
			if n, err := fmt.Sscan(os.Getenv("SLUICE_SOAK_RUNS"), &runs); n == 1 && err == nil {
				t.Logf("%d runs", runs)
			}
			first := rand.Uint64()
			_, _ = fmt.Sscan(os.Getenv("SLUICE_SOAK_SEED"), &first)
			open := on.opener(t)
			var seen soakCounts
			for i := range runs {
				seed := first + uint64(i)
				soakMemory(t, open, seed, &seen)
				if t.Failed() {
					t.Fatalf("with seed %d, run %d", seed, i)
				}
			}
			t.Logf("%d runs: %+v", runs, seen)
			if seen.well < runs/4 || seen.interrupted < runs/10 || seen.spilled < seen.well/2 || seen.toDisk == 0 || seen.ofDevice == 0 {
				t.Errorf("of %d runs %+v: the test has lost its variety", runs, seen)
			}
		})
	}
}

// soakCounts are what happened in the runs of a soak.
type soakCounts struct{ well, interrupted, spilled, toDisk, ofDevice, shared int }

// sealed has the hash of every payload that went in, by its number.
type sealed struct {
	seed maphash.Seed
	mu   struct {
		sync.Mutex
		sums map[sluice.SeqNum]uint64
	}
}

func (s *sealed) seal(number sluice.SeqNum, data []byte) {
	sum := maphash.Bytes(s.seed, data)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.sums[number] = sum
}

func (s *sealed) check(number sluice.SeqNum, data []byte) error {
	sum := maphash.Bytes(s.seed, data)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.sums[number] != sum {
		return fmt.Errorf("message %d of %d bytes holds other bytes than went in", number, len(data))
	}
	return nil
}

// A memoryRun is one network of a memory soak.
type memoryRun struct {
	t       *testing.T
	random  *rand.Rand
	net     *sluice.Network
	sizes   []int // of the messages of both sources
	sealed  sealed
	fails   map[string]int // at which message a node fails
	failed  sync.Map       // that did
	moved   atomic.Int64
	limit   int64 // of messages moved before the run is cancelled; 0 for never
	cancel  context.CancelCauseFunc
	counts  map[string]*atomic.Int64 // of the sinks
	streams *device.StreamPool
}

var errCancelled = errors.New("cancelled by the test")

// soakMemory runs a random network or two, and checks what comes of it.
func soakMemory(t *testing.T, open deviceOpener, seed uint64, seen *soakCounts) {
	random := rand.New(rand.NewPCG(seed, 1))
	networks := 1
	if random.IntN(4) == 0 {
		networks = 2
		seen.shared++
	}
	var all []*memoryRun
	var inFlight int64
	for i := range networks {
		m := newMemoryRun(t, rand.New(rand.NewPCG(seed, uint64(i)+2)), fmt.Sprintf("soak %d.%d", seed, i))
		for _, size := range m.sizes {
			inFlight += int64(size) * copiesInFlight
		}
		all = append(all, m)
	}

	dir := t.TempDir()
	d, end := open(t)
	limit := inFlight / 10
	r, err := mem.New(mem.Options{
		Device: d, SpillDir: dir, Compress: mem.Compression(random.IntN(3)),
		Limits: [mem.Kinds]mem.Limit{
			mem.Device: mem.Bytes(limit / 3), mem.Pinned: mem.Bytes(int64(random.IntN(3)) * limit / 6),
			mem.Host: mem.Bytes(limit), mem.Disk: mem.Bytes(1 << 30),
		},
	})
	errIs(t, err, nil)

	var running sync.WaitGroup
	errs := make([]error, networks)
	for i, m := range all {
		running.Go(func() { errs[i] = m.run(r, d) })
	}
	running.Wait()
	for i, m := range all {
		m.judge(errs[i], seen)
	}

	for k, s := range r.Stats().Kinds {
		if s.Used != 0 || s.Reserved != 0 || s.Overbooked != 0 {
			t.Errorf("%v memory at the end: %+v %+v %v", mem.Kind(k), s, r.Stats().Nodes, errs)
		}
		if k != int(mem.Disk) && s.Spilled > 0 {
			seen.toDisk += min(1, int(r.Stats().Kinds[mem.Host].Spilled))
		}
	}
	seen.ofDevice += min(1, int(r.Stats().Kinds[mem.Device].Spilled))
	errIs(t, r.Close(context.Background()), nil)
	end()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("the spill directory has %v, %v", left, err)
	}
}

// copiesInFlight is how many of each message there would be in memory if nothing held
// the network back: one for each of the sinks, and one in the state of a node.
const copiesInFlight = 6

func newMemoryRun(t *testing.T, random *rand.Rand, name string) *memoryRun {
	m := &memoryRun{t: t, random: random, fails: map[string]int{}, counts: map[string]*atomic.Int64{}}
	m.sealed.seed = maphash.MakeSeed()
	m.sealed.mu.sums = map[sluice.SeqNum]uint64{}
	m.net = sluice.NewNetwork(name)
	largest := 1 << (9 + random.IntN(5))
	for range 80 + random.IntN(60) {
		m.sizes = append(m.sizes, 1+random.IntN(largest))
	}
	m.sizes = append(m.sizes, 0, 1, largest) // nothing is a size, too
	switch random.IntN(4) {
	case 0:
		m.limit = int64(1 + random.IntN(10*len(m.sizes)))
	case 1:
		for range 1 + random.IntN(2) {
			m.fails[soakNodes[random.IntN(len(soakNodes))]] = random.IntN(len(m.sizes))
		}
	}
	return m
}

var soakNodes = []string{
	"first", "second", "worker 0", "worker 1", "worker 2", "keep", "relay", "up", "kernel", "down",
	"sink 0", "sink 1", "sink 2", "sink 3", "sink 4",
}

func (m *memoryRun) run(r *mem.Resource, d device.Device) error {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	m.cancel = cancel
	var err error
	m.streams, err = device.NewStreamPool(d, 2, device.StreamOptions{Name: "soak"})
	errIs(m.t, err, nil)
	defer m.streams.Close()
	sluice.WithMemory(r)(m.net)
	m.build()
	return m.net.Run(ctx)
}

// judge checks what a run came to.
func (m *memoryRun) judge(err error, seen *soakCounts) {
	failed := map[string]bool{}
	m.failed.Range(func(name, _ any) bool { failed[name.(string)] = true; return true })
	switch {
	case len(failed) > 0:
		seen.interrupted++
		if err == nil {
			m.t.Errorf("%v failed, and Run = nil", failed)
			return
		}
		for _, nd := range nodeErrors(m.t, err) {
			if !failed[nd.Node] || !errors.Is(nd.Err, ownError(nd.Node)) {
				m.t.Errorf("Run blames %q, which did not fail by itself: %v", nd.Node, nd.Err)
			}
		}
	case err != nil:
		seen.interrupted++
		if !errors.Is(err, errCancelled) || m.limit == 0 {
			m.t.Errorf("nobody failed, but Run = %v", err)
		}
	default:
		seen.well++
		for name, n := range m.counts {
			want := len(m.sizes)
			if name == "sink 2" {
				want *= 2 // it gets those of both sources
			}
			if int(n.Load()) != want {
				m.t.Errorf("%q got %d messages of %d", name, n.Load(), want)
			}
		}
		for k := range m.net.Snapshot().Memory.Kinds {
			if m.net.Snapshot().Memory.Kinds[k].Spilled > 0 {
				seen.spilled++
				break
			}
		}
	}
}

// build makes twenty nodes:
//
//	first ─▶ broadcast ─▶ distribute ─▶ worker 0..2 ─▶ in order ─▶ sink 0
//	                 ├──▶ keep ─▶ relay ─▶ sink 1
//	                 └──▶ up ─▶ kernel ─▶ down ─▶ merge ─▶ sink 2
//	second ─▶ broadcast 2 ───────────────────────┘
//	                 ├──▶ sink 3
//	                 └──▶ sink 4
func (m *memoryRun) build() {
	ch := func(name string) *sluice.Channel {
		return m.net.Channel(name, sluice.Slots(1+m.random.IntN(20)))
	}
	node := func(name string, run func(context.Context) error, ports ...sluice.Port) {
		m.net.Node(name, run, ports...)
	}
	var fan, fan2, parts, done []*sluice.Channel
	for i := range 3 {
		fan = append(fan, ch(fmt.Sprintf("fan %d", i)))
		fan2 = append(fan2, ch(fmt.Sprintf("fan2 %d", i)))
		parts = append(parts, ch(fmt.Sprintf("part %d", i)))
		done = append(done, ch(fmt.Sprintf("done %d", i)))
	}
	made, made2, inOrder, kept, relayed := ch("made"), ch("made2"), ch("in order"), ch("kept"), ch("relayed")
	up, computed, down, merged := ch("up"), ch("computed"), ch("down"), ch("merged")

	node("first", m.source("first", made, 1), sluice.Writes(made))
	node("second", m.source("second", made2, 1_000_001), sluice.Writes(made2))
	node(ops.Broadcast("broadcast", made, fan, m.backlog()...))
	node(ops.Broadcast("broadcast 2", made2, fan2, m.backlog()...))

	node(ops.Distribute("distribute", fan[0], parts))
	for i := range parts {
		name := fmt.Sprintf("worker %d", i)
		if m.random.IntN(2) == 0 {
			node(name, m.inPlace(name, parts[i], done[i]), sluice.Reads(parts[i]).At(mem.Host), sluice.Writes(done[i]))
		} else {
			node(name, m.copies(name, parts[i], done[i]), sluice.Reads(parts[i]), sluice.Writes(done[i]))
		}
	}
	node(ops.OrderedMerge("order", done, inOrder))
	m.sink("sink 0", inOrder, 0x5a)

	node("keep", m.keep("keep", fan[1], kept), sluice.Reads(fan[1]), sluice.Writes(kept))
	node("relay", m.relay("relay", kept, relayed), sluice.Reads(kept), sluice.Writes(relayed))
	m.sink("sink 1", relayed, 0)

	node("up", m.relay("up", fan[2], up), sluice.Reads(fan[2]), sluice.Writes(up))
	node("kernel", m.kernel("kernel", up, computed), sluice.Reads(up).At(mem.Device), sluice.Writes(computed))
	node("down", m.relay("down", computed, down), sluice.Reads(computed), sluice.Writes(down))
	node(ops.Merge("merge", []*sluice.Channel{down, fan2[0]}, merged))
	m.sink("sink 2", merged, 0)
	m.sink("sink 3", fan2[1], 0)
	m.sink("sink 4", fan2[2], 0)
}

func (m *memoryRun) backlog() []ops.BroadcastOption {
	switch m.random.IntN(4) {
	case 0:
		return []ops.BroadcastOption{ops.BacklogUnbounded()}
	case 1:
		return []ops.BroadcastOption{ops.BacklogMessages(1 + m.random.IntN(30))}
	case 2:
		return []ops.BroadcastOption{ops.BacklogBytes(1 + int64(m.random.IntN(100_000)))}
	}
	return nil
}

// step is called by a node for each of its messages, and returns the error with which it
// fails.
func (m *memoryRun) step(name string, k int) error {
	if m.limit > 0 && m.moved.Add(1) == m.limit {
		m.cancel(errCancelled)
	}
	if at, ok := m.fails[name]; ok && at == k {
		m.failed.Store(name, true)
		return ownError(name)
	}
	return nil
}

// source makes the messages.
func (m *memoryRun) source(name string, out *sluice.Channel, from int) func(context.Context) error {
	return func(ctx context.Context) error {
		var data rand.ChaCha8
		for k, size := range m.sizes {
			if err := m.step(name, k); err != nil {
				return err
			}
			b, err := newBuffer(ctx, mem.FromContext(ctx), mem.Host, size)
			if err != nil {
				return err
			}
			msg := sluice.NewMessage(sluice.SeqNum(from+k), b)
			if err = m.write(b, &data, msg.Seq()); err == nil {
				err = out.Send(ctx, &msg)
			}
			msg.Release()
			if err != nil {
				return err
			}
		}
		return nil
	}
}

func (m *memoryRun) write(b *mem.Buffer, data *rand.ChaCha8, number sluice.SeqNum) error {
	to, err := b.Exclusive()
	if err == nil {
		_, err = data.Read(to)
		m.sealed.seal(number, to)
	}
	return err
}

// newBuffer reserves and allocates.
func newBuffer(ctx context.Context, r *mem.Resource, k mem.Kind, n int) (*mem.Buffer, error) {
	res, err := r.Reserve(ctx, k, int64(n))
	if err != nil {
		return nil, err
	}
	defer res.Release()
	return res.Alloc(k, int64(n), nil)
}

// each calls do for every message, and releases what that leaves.
func (m *memoryRun) each(ctx context.Context, name string, in *sluice.Channel, do func(*sluice.Message) error) error {
	for k := 0; ; k++ {
		msg, err := in.Recv(ctx)
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = m.step(name, k)
		}
		if err == nil {
			err = do(&msg)
		}
		msg.Release()
		if err != nil {
			return err
		}
	}
}

// relay passes on, wherever the bytes are, and takes its time.
func (m *memoryRun) relay(name string, in, out *sluice.Channel) func(context.Context) error {
	return func(ctx context.Context) error {
		return m.each(ctx, name, in, func(msg *sluice.Message) error {
			runtime.Gosched()
			return out.Send(ctx, msg)
		})
	}
}

// inPlace changes what its port has restored.
func (m *memoryRun) inPlace(name string, in, out *sluice.Channel) func(context.Context) error {
	return func(ctx context.Context) error {
		return m.each(ctx, name, in, func(msg *sluice.Message) error {
			b, err := sluice.Peek[*mem.Buffer](msg)
			if err != nil {
				return err
			}
			data, err := b.Exclusive()
			if err != nil {
				return err
			}
			for i := range data {
				data[i] ^= 0x5a
			}
			return out.Send(ctx, msg)
		})
	}
}

// copies reserves room for what it restores and what it makes in one step.
func (m *memoryRun) copies(name string, in, out *sluice.Channel) func(context.Context) error {
	return func(ctx context.Context) error {
		return m.each(ctx, name, in, func(msg *sluice.Message) error {
			b, err := sluice.Take[*mem.Buffer](msg)
			if err != nil {
				return err
			}
			defer b.Release()
			made, err := flipped(ctx, b)
			if err != nil {
				return err
			}
			msg.Replace(made)
			return out.Send(ctx, msg)
		})
	}
}

func flipped(ctx context.Context, b *mem.Buffer) (*mem.Buffer, error) {
	need := b.Size()
	if b.Kind() != mem.Host {
		need *= 2
	}
	res, err := mem.FromContext(ctx).Reserve(ctx, mem.Host, need)
	if err != nil {
		return nil, err
	}
	defer res.Release()
	if b.Kind() != mem.Host {
		if _, err := b.Restore(ctx, res); err != nil {
			return nil, err
		}
	}
	made, err := res.Alloc(mem.Host, b.Size(), nil)
	if err != nil {
		return nil, err
	}
	to, err := made.Exclusive()
	if err != nil {
		made.Release()
		return nil, err
	}
	from, err := b.Bytes()
	if err != nil {
		made.Release()
		return nil, err
	}
	for i := range from {
		to[i] = from[i] ^ 0x5a
	}
	return made, nil
}

// kernel works on the device.
func (m *memoryRun) kernel(name string, in, out *sluice.Channel) func(context.Context) error {
	return func(ctx context.Context) error {
		s, err := m.streams.Stream()
		if err != nil {
			return err
		}
		return m.each(ctx, name, in, func(msg *sluice.Message) error {
			b, err := sluice.Peek[*mem.Buffer](msg)
			if err == nil && b.Size() > 0 {
				err = b.Rebind(s)
			}
			if err == nil && b.Size() > 0 {
				err = b.Write(thereAndBack)
			}
			if err != nil {
				return err
			}
			return out.Send(ctx, msg)
		})
	}
}

// thereAndBack queues work on the device that takes the bytes away and brings them back.
func thereAndBack(s device.Stream, dst device.Span) error {
	aside, err := s.Alloc(dst.Len())
	if err != nil {
		return err
	}
	return errors.Join(
		s.Copy(aside.All(), dst),
		s.Fill(dst, 0xee),
		s.Do("nothing", func() error { return nil }),
		s.Copy(dst, aside.All()),
		s.Free(aside),
	)
}

// keep takes everything in, as state that can be spilled, before it sends it on in order.
func (m *memoryRun) keep(name string, in, out *sluice.Channel) func(context.Context) error {
	return func(ctx context.Context) error {
		var state hoard
		defer state.release()
		registered := mem.FromContext(ctx).Register(ctx, name, &state)
		defer registered.Remove()
		err := m.each(ctx, name, in, func(msg *sluice.Message) error {
			b, err := sluice.Take[*mem.Buffer](msg)
			if err != nil {
				return err
			}
			state.add(msg.Seq(), b)
			registered.Offer()
			return nil
		})
		for err == nil {
			msg, ok := state.next()
			if !ok {
				break
			}
			err = out.Send(ctx, &msg)
			msg.Release()
		}
		return err
	}
}

// A hoard is buffers that somebody keeps for later.
type hoard struct {
	mu struct {
		sync.Mutex
		numbers []sluice.SeqNum
		buffers []*mem.Buffer
	}
}

func (h *hoard) add(number sluice.SeqNum, b *mem.Buffer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mu.numbers = append(h.mu.numbers, number)
	h.mu.buffers = append(h.mu.buffers, b)
}

// next takes out what came first.
func (h *hoard) next() (sluice.Message, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.mu.buffers) == 0 {
		return sluice.Message{}, false
	}
	m := sluice.NewMessage(h.mu.numbers[0], h.mu.buffers[0])
	h.mu.numbers, h.mu.buffers = h.mu.numbers[1:], h.mu.buffers[1:]
	return m, true
}

func (h *hoard) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, b := range h.mu.buffers {
		b.Release()
	}
}

// Content says what can go: what is on disk has gone.
func (h *hoard) Content() mem.Content {
	h.mu.Lock()
	defer h.mu.Unlock()
	var c mem.Content
	for _, b := range h.mu.buffers {
		c.Bytes = c.Bytes.Plus(b.Content().Bytes)
	}
	c.Spillable = c.Total() > c.In(mem.Disk)
	return c
}

// Spill moves as much as there is room for, from the end.
func (h *hoard) Spill(ctx context.Context, res *mem.Reservation) (freed int64, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, b := range slices.Backward(h.mu.buffers) {
		if b.Kind() == mem.Disk || b.Size() == 0 {
			continue
		}
		n, err := b.Spill(ctx, res)
		freed += n
		var overdrawn *mem.OverdrawnError
		if errors.As(err, &overdrawn) {
			break
		}
		if err != nil {
			return freed, err
		}
	}
	return freed, nil
}

// sink adds a node that checks every message, after flipping bits.
func (m *memoryRun) sink(name string, in *sluice.Channel, flip byte) {
	n := &atomic.Int64{}
	m.counts[name] = n
	slow := m.random.IntN(3) == 0
	m.net.Node(name, func(ctx context.Context) error {
		var plain []byte
		return m.each(ctx, name, in, func(msg *sluice.Message) error {
			for range 50 {
				if slow {
					runtime.Gosched()
				}
			}
			b, err := sluice.Peek[*mem.Buffer](msg)
			if err != nil {
				return err
			}
			data, err := b.Bytes()
			if err != nil {
				return err
			}
			plain = append(plain[:0], data...)
			for i := range plain {
				plain[i] ^= flip
			}
			n.Add(1)
			return m.sealed.check(msg.Seq(), plain)
		})
	}, sluice.Reads(in).At(mem.Host))
}

func TestAChannelSaysInWhichMemoryItsMessagesAre(t *testing.T) {
	const messages = 20
	r := budget(t, 4*piece)
	net := sluice.NewNetwork("telling", sluice.WithMemory(r))
	rows, done := net.Channel("rows", sluice.Slots(messages)), net.Channel("done")
	net.Node("fill", fills(rows, messages), sluice.Writes(rows, done))
	var n atomic.Int64
	net.Node("look", func(ctx context.Context) error {
		if _, err := done.Recv(ctx); err != io.EOF { // then all were sent
			return err
		}
		s := rows.Stats().Memory
		if s.Total() != messages*piece || s[mem.Host] > 4*piece || s[mem.Disk] != s.Total()-s[mem.Host] {
			t.Errorf("%d messages of %d bytes are in %v", messages, piece, s)
		}
		return looks(rows, &n)(ctx)
	}, sluice.Reads(rows).At(mem.Host), sluice.Reads(done))
	errIs(t, net.Run(t.Context()), nil)
	if s := rows.Stats().Memory; n.Load() != messages || s != (mem.Amount{}) {
		t.Errorf("%d messages, and the empty channel has %v", n.Load(), s)
	}
}
