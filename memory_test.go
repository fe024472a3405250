package sluice_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/mem"
)

const piece = 64 << 10 // bytes of most payloads here

// budget is a resource with a limit for host memory and room on disk, and fails the test
// if anything of it is left over.
func budget(t testing.TB, host int64) *mem.Resource {
	t.Helper()
	return budgetWith(t, mem.Options{Limits: limits(host)})
}

func limits(host int64) [mem.Kinds]mem.Limit {
	return [mem.Kinds]mem.Limit{
		mem.Device: mem.Bytes(0), mem.Pinned: mem.Bytes(0), mem.Host: mem.Bytes(host), mem.Disk: mem.Bytes(1 << 30),
	}
}

func budgetWith(t testing.TB, opts mem.Options) *mem.Resource {
	t.Helper()
	opts.SpillDir = t.TempDir()
	r, err := mem.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for k, s := range r.Stats().Kinds {
			if s.Used != 0 || s.Reserved != 0 {
				t.Errorf("%v memory: %d used and %d reserved at the end", mem.Kind(k), s.Used, s.Reserved)
			}
		}
		if err := r.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(opts.SpillDir); err != nil || len(left) > 0 {
			t.Errorf("the spill directory has %v, %v", left, err)
		}
	})
	return r
}

// fill makes a buffer of n bytes that can be told from others.
func fill(ctx context.Context, number, n int) (*mem.Buffer, error) {
	res, err := mem.FromContext(ctx).Reserve(ctx, mem.Host, int64(n))
	if err != nil {
		return nil, err
	}
	defer res.Release()
	b, err := res.Alloc(mem.Host, int64(n), nil)
	if err != nil {
		return nil, err
	}
	to, err := b.Exclusive()
	if err != nil {
		b.Release()
		return nil, err
	}
	copy(to, bytes.Repeat(mark(number), n/8+1))
	return b, nil
}

func mark(number int) []byte { return []byte(fmt.Sprintf("%08d", number)) }

// filled says what is wrong with a buffer made by fill.
func filled(b *mem.Buffer, number int) error {
	have, err := b.Bytes()
	if err != nil {
		return err
	}
	if !bytes.Equal(have, bytes.Repeat(mark(number), len(have)/8+1)[:len(have)]) {
		return fmt.Errorf("buffer %d holds other bytes: %.16q", number, have)
	}
	return nil
}

// fills is a node that sends n buffers.
func fills(out *sluice.Channel, n int) func(context.Context) error {
	return func(ctx context.Context) error {
		for i := range n {
			b, err := fill(ctx, i, piece)
			if err != nil {
				return err
			}
			m := sluice.NewMessage(sluice.SeqNum(i), b)
			if err := out.Send(ctx, &m); err != nil {
				m.Release()
				return err
			}
		}
		return nil
	}
}

// looks is a node that looks at every buffer, and counts them.
func looks(in *sluice.Channel, n *atomic.Int64) func(context.Context) error {
	return func(ctx context.Context) error {
		for m, err := range in.All(ctx) {
			if err != nil {
				return err
			}
			b, err := sluice.Peek[*mem.Buffer](&m)
			if err == nil {
				err = filled(b, int(m.Seq()))
			}
			m.Release()
			if err != nil {
				return err
			}
			n.Add(1)
		}
		return nil
	}
}

func TestWhatWaitsInAChannelIsSpilledWhenMemoryIsWanted(t *testing.T) {
	r := budget(t, 4*piece)
	net := sluice.NewNetwork("spilling", sluice.WithMemory(r))
	rows := net.Channel("rows", sluice.Slots(20))
	all := make(chan struct{})
	net.Node("fill", func(ctx context.Context) error {
		defer close(all)
		return fills(rows, 20)(ctx)
	}, sluice.Writes(rows))
	var n atomic.Int64
	net.Node("read", func(ctx context.Context) error {
		<-all // by then five times as much was sent as fits
		return looks(rows, &n)(ctx)
	}, sluice.Reads(rows).At(mem.Host))
	if err := net.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	host := net.Snapshot().Memory.Kinds[mem.Host]
	if n.Load() != 20 || host.Spilled < 16*piece || host.Restored != host.Spilled || host.Overbooked != 0 {
		t.Errorf("%d messages; %+v", n.Load(), host)
	}
	if peak := r.Stats().Kinds[mem.Host].Peak; peak > 4*piece {
		t.Errorf("%d bytes at most, the limit is %d", peak, 4*piece)
	}
}

func TestNothingIsSpilledWhileThereIsRoom(t *testing.T) {
	r := budget(t, 64*piece)
	net := sluice.NewNetwork("roomy", sluice.WithMemory(r))
	rows := net.Channel("rows", sluice.Slots(8))
	var n atomic.Int64
	net.Node("fill", fills(rows, 40), sluice.Writes(rows))
	net.Node("read", looks(rows, &n), sluice.Reads(rows).At(mem.Host))
	if err := net.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := r.Stats().Kinds[mem.Host]; n.Load() != 40 || s.Spilled != 0 {
		t.Errorf("%d messages; %+v", n.Load(), s)
	}
}

func TestWhatASuspendedSenderHoldsIsSpilled(t *testing.T) {
	r := budget(t, 2*piece)
	net := sluice.NewNetwork("suspended", sluice.WithMemory(r))
	rows := net.Channel("rows")
	var made sync.WaitGroup
	const senders = 10
	made.Add(senders)
	for i := range senders {
		net.Node(fmt.Sprintf("fill %d", i), func(ctx context.Context) error {
			b, err := fill(ctx, i, piece)
			if err != nil {
				return err
			}
			made.Done()
			m := sluice.NewMessage(sluice.SeqNum(i), b)
			defer m.Release()
			return rows.Send(ctx, &m)
		}, sluice.Writes(rows))
	}
	var n atomic.Int64
	net.Node("read", func(ctx context.Context) error {
		made.Wait() // one is in the slot, nine are with their senders
		return looks(rows, &n)(ctx)
	}, sluice.Reads(rows).At(mem.Host))
	if err := net.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := r.Stats().Kinds[mem.Host]; n.Load() != senders || s.Spilled < 8*piece {
		t.Errorf("%d messages; %+v", n.Load(), s)
	}
}

// A token is a payload whose spilling is in the hands of the test.
type token struct {
	number   int
	spilling chan *token  // told when it is being spilled
	goOn     chan error   // with what comes of it
	restored func() error // nil: fine
	released atomic.Bool
	kind     atomic.Int32
	charge   atomic.Pointer[mem.Charge]
}

func (k *token) Content() mem.Content {
	return mem.Content{Bytes: mem.Of(mem.Kind(k.kind.Load()), piece), Spillable: mem.Kind(k.kind.Load()) == mem.Host}
}

func (k *token) move(res *mem.Reservation, to mem.Kind) error {
	c, err := res.Charge(to, piece)
	if err == nil {
		k.charge.Swap(c).Release()
		k.kind.Store(int32(to))
	}
	return err
}

func (k *token) Spill(ctx context.Context, res *mem.Reservation) (int64, error) {
	k.spilling <- k
	select {
	case err := <-k.goOn:
		if err != nil {
			return 0, err
		}
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	return piece, k.move(res, mem.Disk)
}

func (k *token) Restore(_ context.Context, res *mem.Reservation) (int64, error) {
	if k.restored != nil {
		if err := k.restored(); err != nil {
			return 0, err
		}
	}
	return piece, k.move(res, mem.Host)
}

func (k *token) Release() {
	if k.released.Swap(true) {
		panic("released twice")
	}
	k.charge.Swap(nil).Release()
}

// tokens is a network with a channel of that many slots, of which a script is the writer and
// another the reader.
type tokens struct {
	t        *testing.T
	net      *sluice.Network
	rows     *sluice.Channel
	memory   *mem.Resource
	also     []*sluice.Channel // that the writer writes
	anywhere bool              // the reader takes them wherever they are
	spilling chan *token
	made     []*token
}

func newTokens(t *testing.T, slots int, host int64) *tokens {
	k := &tokens{t: t, memory: budget(t, host), spilling: make(chan *token, 100)}
	k.net = sluice.NewNetwork("tokens", sluice.WithMemory(k.memory))
	k.rows = k.net.Channel("rows", sluice.Slots(slots))
	return k
}

// send sends the next token.
func (k *tokens) send(ctx context.Context) error {
	m, err := k.next(ctx)
	if err != nil {
		return err
	}
	defer m.Release()
	return k.rows.Send(ctx, &m)
}

// next makes the next token.
func (k *tokens) next(ctx context.Context) (sluice.Message, error) {
	made := &token{number: len(k.made), spilling: k.spilling, goOn: make(chan error, 1)}
	made.kind.Store(int32(mem.Host))
	res, err := mem.FromContext(ctx).Reserve(ctx, mem.Host, piece)
	if err != nil {
		return sluice.Message{}, err
	}
	defer res.Release()
	c, err := res.Charge(mem.Host, piece)
	if err != nil {
		return sluice.Message{}, err
	}
	made.charge.Store(c)
	k.made = append(k.made, made)
	return sluice.NewMessage(sluice.SeqNum(made.number), made), nil
}

// want asks for n bytes of host memory in a goroutine, from whom they come back at once.
func (k *tokens) want(ctx context.Context, n int64) *call[struct{}] {
	return try(func() error {
		res, err := mem.FromContext(ctx).Reserve(ctx, mem.Host, n)
		res.Release()
		return err
	})
}

func (k *tokens) run(writer, reader func(context.Context) error) error {
	k.net.Node("write", writer, sluice.Writes(append(k.also, k.rows)...))
	port := sluice.Reads(k.rows)
	if !k.anywhere {
		port = port.At(mem.Host)
	}
	k.net.Node("read", reader, port)
	return k.net.Run(k.t.Context())
}

func number(m *sluice.Message) int {
	k, err := sluice.Peek[*token](m)
	if err != nil {
		return -1
	}
	return k.number
}

func TestTheMessageNeededLastIsSpilledFirst(t *testing.T) {
	k := newTokens(t, 3, 4*piece)
	sent := make(chan struct{})
	err := k.run(func(ctx context.Context) error {
		for range 3 {
			if err := k.send(ctx); err != nil {
				return err
			}
		}
		// An eighth of the limit is set aside, so half a piece is to be had.
		want := k.want(ctx, piece+piece/2)
		victim := <-k.spilling
		if victim.number != 2 {
			t.Errorf("message %d is spilled, not the last", victim.number)
		}
		victim.goOn <- nil
		<-want.done
		close(sent)
		return want.err
	}, func(ctx context.Context) error {
		<-sent
		for m, err := range k.rows.All(ctx) {
			if err != nil {
				return err
			}
			m.Release()
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestOnlyTheReceiverOfAMessageThatIsBeingSpilledWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTokens(t, 2, 3*piece)
		k.anywhere = true // nor does anybody wait for memory to restore them to
		done := make(chan struct{})
		err := k.run(func(ctx context.Context) error {
			defer close(done)
			if err := errors.Join(k.send(ctx), k.send(ctx)); err != nil {
				return err
			}
			want := k.want(ctx, 5*piece/2) // both have to go
			first, second := <-k.spilling, <-k.spilling
			if first.number > second.number {
				first, second = second, first
			}
			recv := func() (int, error) {
				m, err := k.rows.Recv(ctx)
				defer m.Release()
				return number(&m), err
			}
			ofFirst := later(recv)
			synctest.Wait()
			second.goOn <- nil
			synctest.Wait()
			ofSecond := later(recv)
			synctest.Wait()
			if !ofSecond.over() || ofSecond.value != 1 || ofFirst.over() {
				t.Errorf("the receiver of message 1 returned: %v, that of message 0: %v", ofSecond.over(), ofFirst.over())
			}
			first.goOn <- nil
			<-ofFirst.done
			<-want.done
			if ofFirst.value != 0 {
				t.Errorf("received %d, want message 0", ofFirst.value)
			}
			return errors.Join(ofFirst.err, ofSecond.err, want.err)
		}, func(ctx context.Context) error {
			<-done
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestAMessageThatCannotBeRestoredStaysInTheChannel(t *testing.T) {
	k := newTokens(t, 2, 3*piece)
	broken := errors.New("a bad sector")
	ready := make(chan struct{})
	err := k.run(func(ctx context.Context) error {
		if err := k.send(ctx); err != nil {
			return err
		}
		want := k.want(ctx, 3*piece)
		(<-k.spilling).goOn <- nil
		<-want.done
		failures := 2
		k.made[0].restored = func() error {
			if failures--; failures >= 0 {
				return broken
			}
			return nil
		}
		close(ready)
		return errors.Join(want.err, k.send(ctx))
	}, func(ctx context.Context) error {
		<-ready
		var restore *sluice.RestoreError
		for range 2 {
			_, err := k.rows.Recv(ctx)
			if !errors.As(err, &restore) || !errors.Is(err, broken) || restore.Channel != "rows" || restore.Seq != 0 {
				t.Errorf("got %v, want a RestoreError of message 0", err)
			}
		}
		for i := range 2 {
			m, err := k.rows.Recv(ctx)
			if err != nil {
				return err
			}
			if number(&m) != i {
				t.Errorf("message %d came as number %d", number(&m), i)
			}
			m.Release()
		}
		_, err := k.rows.Recv(ctx)
		if err != io.EOF {
			t.Errorf("at the end: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAReceiverThatGivesUpLeavesTheMessage(t *testing.T) {
	k := newTokens(t, 1, piece)
	done := make(chan struct{})
	err := k.run(func(ctx context.Context) error {
		defer close(done)
		if err := k.send(ctx); err != nil {
			return err
		}
		want := k.want(ctx, piece)
		victim := <-k.spilling
		impatient, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := k.rows.Recv(impatient); !errors.Is(err, context.Canceled) {
			t.Errorf("receiving what is being spilled, with a context that has ended: %v", err)
		}
		if n := k.rows.Len(); n != 1 {
			t.Errorf("%d messages in the channel, want the one", n)
		}
		victim.goOn <- nil
		<-want.done
		return want.err
	}, func(ctx context.Context) error {
		<-done
		m, err := k.rows.Recv(ctx)
		if err == nil && number(&m) != 0 {
			t.Errorf("received %d", number(&m))
		}
		m.Release()
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestWhatIsDroppedWhileItIsSpilledIsReleasedOnce(t *testing.T) {
	k := newTokens(t, 1, piece)
	done := make(chan struct{})
	err := k.run(func(ctx context.Context) error {
		defer close(done)
		if err := k.send(ctx); err != nil {
			return err
		}
		want := k.want(ctx, piece)
		victim := <-k.spilling
		k.rows.Stop()
		if victim.released.Load() {
			t.Error("released while it is being spilled")
		}
		victim.goOn <- nil
		<-want.done
		return want.err
	}, func(ctx context.Context) error {
		<-done
		_, err := k.rows.Recv(ctx)
		if err != io.EOF {
			t.Errorf("from the stopped channel: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if !k.made[0].released.Load() {
		t.Error("not released")
	}
}

func TestASenderThatGivesUpGetsItsMessageWhenItIsNoLongerSpilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTokens(t, 1, 3*piece)
		done := make(chan struct{})
		err := k.run(func(ctx context.Context) error {
			defer close(done)
			if err := k.send(ctx); err != nil {
				return err
			}
			impatient, cancel := context.WithCancel(ctx)
			sending := try(func() error { return k.send(impatient) })
			synctest.Wait()
			want := k.want(ctx, piece)
			victim := <-k.spilling
			if victim.number != 1 {
				t.Errorf("%d is spilled, not what the suspended sender holds", victim.number)
			}
			cancel()
			if !victim.released.Load() { // send releases it when it returns
				victim.goOn <- nil
			}
			<-sending.done
			if !errors.Is(sending.err, context.Canceled) || !victim.released.Load() {
				t.Errorf("send: %v; released: %v", sending.err, victim.released.Load())
			}
			<-want.done
			return want.err
		}, func(ctx context.Context) error {
			<-done
			for m, err := range k.rows.All(ctx) {
				if err != nil {
					return err
				}
				m.Release()
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestDrainWaitsForWhatIsBeingRestored(t *testing.T) {
	k := newTokens(t, 1, piece)
	restoring, goOn := make(chan struct{}), make(chan struct{})
	ready := make(chan struct{})
	err := k.run(func(ctx context.Context) error {
		if err := k.send(ctx); err != nil {
			return err
		}
		want := k.want(ctx, piece)
		(<-k.spilling).goOn <- nil
		<-want.done
		k.made[0].restored = func() error { close(restoring); <-goOn; return nil }
		close(ready)
		<-restoring
		drained := try(func() error { return k.rows.Drain(ctx) })
		if st := k.rows.Stats(); st.Len != 0 {
			t.Errorf("%+v", st)
		}
		impatient, cancel := context.WithCancel(ctx)
		cancel()
		if err := k.rows.Drain(impatient); !errors.Is(err, context.Canceled) {
			t.Errorf("drained (%v) while the last message is being restored", err)
		}
		close(goOn)
		<-drained.done
		return errors.Join(want.err, drained.err)
	}, func(ctx context.Context) error {
		<-ready
		m, err := k.rows.Recv(ctx)
		m.Release()
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestWhatANodeNeverReleasesIsAnErrorOfRunThatNamesIt(t *testing.T) {
	r, err := mem.New(mem.Options{Limits: [mem.Kinds]mem.Limit{mem.Host: mem.Bytes(1 << 20)}})
	if err != nil {
		t.Fatal(err)
	}
	net := sluice.NewNetwork("leaky", sluice.WithMemory(r))
	var forgotten *mem.Buffer
	net.Node("careless", func(ctx context.Context) (err error) {
		forgotten, err = fill(ctx, 1, piece)
		return err
	})
	err = net.Run(t.Context())
	var leak *mem.LeakError
	if !errors.As(err, &leak) || len(leak.Leaks) != 1 || leak.Leaks[0].Node != "careless" || leak.Leaks[0].Used[mem.Host] != piece {
		t.Fatalf("got %v, want a leak of node careless", err)
	}
	for _, want := range []string{"leaky", "careless", "64KiB host"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	forgotten.Release() // it can still be
	if err := r.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestAPortWantsWhatCanBe(t *testing.T) {
	nothing := func(context.Context) error { return nil }
	for want, build := range map[string]func(net *sluice.Network, rows *sluice.Channel){
		`node "a": At is for ports that read`: func(net *sluice.Network, rows *sluice.Channel) {
			net.Node("a", nothing, sluice.Writes(rows).At(mem.Host))
			net.Node("b", nothing, sluice.Reads(rows))
		},
		`node "b" wants payloads in disk memory`: func(net *sluice.Network, rows *sluice.Channel) {
			net.Node("a", nothing, sluice.Writes(rows))
			net.Node("b", nothing, sluice.Reads(rows).At(mem.Disk))
		},
		`node "b" wants payloads in device memory, of which the limit is 0`: func(net *sluice.Network, rows *sluice.Channel) {
			net.Node("a", nothing, sluice.Writes(rows))
			net.Node("b", nothing, sluice.Reads(rows).At(mem.Device))
		},
		`nodes "b" and "c" disagree`: func(net *sluice.Network, rows *sluice.Channel) {
			net.Node("a", nothing, sluice.Writes(rows))
			net.Node("b", nothing, sluice.Reads(rows).At(mem.Host))
			net.Node("c", nothing, sluice.Reads(rows))
		},
	} {
		net := sluice.NewNetwork("ports", sluice.WithMemory(budget(t, piece)))
		build(net, net.Channel("rows"))
		if err := net.Run(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestAStallReportNamesReservationsAndEvents(t *testing.T) {
	faults := &device.Faults{}
	synctest.Test(t, func(t *testing.T) {
		host, err := device.NewHost(device.HostOptions{DeviceMemory: 1 << 20, PinnedMemory: 1 << 20, Faults: faults})
		if err != nil {
			t.Fatal(err)
		}
		defer host.Close()
		r := budgetWith(t, mem.Options{Device: host, Limits: limits(4 * piece)})
		book := &logbook{}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		net := sluice.NewNetwork("stuck", sluice.WithMemory(r), sluice.WithLogger(slog.New(book)))
		net.Node("miser", func(ctx context.Context) error { // keeps what it reserved
			res, err := mem.FromContext(ctx).Reserve(ctx, mem.Host, 3*piece)
			defer res.Release()
			<-ctx.Done()
			return err
		})
		net.Node("beggar", func(ctx context.Context) error {
			time.Sleep(time.Second)
			res, err := mem.FromContext(ctx).Reserve(ctx, mem.Host, 2*piece)
			res.Release()
			return err
		})
		net.Node("copier", func(ctx context.Context) error {
			stream, err := host.NewStream(device.StreamOptions{Name: "upload"})
			if err != nil {
				return err
			}
			defer stream.Close()
			hang := faults.Hang(device.OpDo, 1)
			defer hang.Release()
			if err := stream.Do("nothing", func() error { return nil }); err != nil {
				return err
			}
			return stream.Sync(ctx)
		})
		errIs(t, net.Run(ctx), context.DeadlineExceeded)
		entries := book.read()
		if len(entries) != 1 {
			t.Fatalf("%d reports, want one", len(entries))
		}
		for _, want := range []string{
			`beggar  waits to reserve "128KiB host"`,
			`copier  waits to see an event of "upload"`,
			"192KiB of 256KiB host taken",
			"192KiB host reserved by miser",
		} {
			if !strings.Contains(entries[0].text, want) {
				t.Errorf("the report does not say %q:\n%s", want, entries[0].text)
			}
		}
	})
}

func TestWhatIsOfferedToAnyOfSeveralChannelsIsSpilled(t *testing.T) {
	for _, end := range []string{"sent", "given up"} {
		t.Run(end, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newTokens(t, 1, 8*piece)
				other := k.net.Channel("other")
				k.also = []*sluice.Channel{other}
				done := make(chan struct{})
				k.net.Node("look", func(ctx context.Context) error {
					<-done
					return drains(other)(ctx)
				}, sluice.Reads(other).At(mem.Host))
				err := k.run(func(ctx context.Context) error {
					defer close(done)
					if err := k.send(ctx); err != nil { // both channels are full then
						return err
					}
					plain := sluice.NewMessage(0, "full")
					if err := other.Send(ctx, &plain); err != nil {
						return err
					}
					impatient, cancel := context.WithCancel(ctx)
					defer cancel()
					sending := try(func() error {
						m, err := k.next(ctx)
						if err != nil {
							return err
						}
						defer m.Release()
						_, err = sluice.SendAny(impatient, &m, k.rows, other)
						return err
					})
					synctest.Wait()
					want := k.want(ctx, 6*piece)
					victim := <-k.spilling
					if victim.number != 1 {
						t.Errorf("%d is spilled, not what is offered", victim.number)
					}
					if end == "given up" {
						cancel()
						synctest.Wait()
						if sending.over() {
							t.Error("SendAny returned what is being spilled")
						}
						victim.goOn <- nil
						<-want.done
						<-sending.done
						errIs(t, sending.err, context.Canceled)
						return want.err
					}
					m, err := other.Recv(ctx) // makes room
					m.Release()
					synctest.Wait()
					if !sending.over() || victim.released.Load() {
						t.Error("it was not sent")
					}
					victim.goOn <- nil
					<-want.done
					return errors.Join(err, sending.err, want.err)
				}, func(ctx context.Context) error {
					<-done
					return drains(k.rows)(ctx)
				})
				errIs(t, err, nil)
				if end == "sent" && (k.made[1].kind.Load() != int32(mem.Host) || other.Stats().Received != 2) {
					t.Errorf("message 1 is in %v memory, %d were received", mem.Kind(k.made[1].kind.Load()), other.Stats().Received)
				}
			})
		})
	}
}

// drains is a node that releases everything.
func drains(in *sluice.Channel) func(context.Context) error {
	return func(ctx context.Context) error {
		for m, err := range in.All(ctx) {
			if err != nil {
				return err
			}
			m.Release()
		}
		return nil
	}
}
