package sluice_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"unsafe"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
)

func TestMessageIsAtMost64Bytes(t *testing.T) {
	if size := unsafe.Sizeof(sluice.Message{}); size > 64 {
		t.Errorf("a Message has %d bytes", size)
	}
}

func TestMessageOfNilPayloadIsEmpty(t *testing.T) {
	for name, m := range map[string]sluice.Message{
		"zero value": {},
		"nil":        sluice.NewMessage(7, nil),
	} {
		if !m.Empty() {
			t.Errorf("%s: not empty", name)
		}
		if _, err := sluice.Peek[any](&m); err != sluice.ErrEmptyMessage {
			t.Errorf("%s: Peek gives %v", name, err)
		}
		if _, err := sluice.Take[any](&m); err != sluice.ErrEmptyMessage {
			t.Errorf("%s: Take gives %v", name, err)
		}
		if _, err := m.Copy(t.Context(), nil); err != sluice.ErrEmptyMessage {
			t.Errorf("%s: Copy gives %v", name, err)
		}
		if got := m.Content(); got != (mem.Content{}) {
			t.Errorf("%s: Content is %v", name, got)
		}
		m.Release()
	}
}

func TestMessageOfTypedNilIsNotEmpty(t *testing.T) {
	m := sluice.NewMessage(1, (*strings.Reader)(nil))
	if m.Empty() {
		t.Fatal("a nil pointer is a payload like any other")
	}
	if p, err := sluice.Peek[*strings.Reader](&m); p != nil || err != nil {
		t.Errorf("Peek gives %v, %v", p, err)
	}
	if r, err := sluice.Peek[io.Reader](&m); r == nil || err != nil {
		t.Errorf("Peek to an interface gives %v, %v; want an interface that holds the nil pointer", r, err)
	}
	c := sluice.NewChannel("c")
	mustSend(t, c, m)
	m, _ = c.Recv(t.Context())
	if p, err := sluice.Take[*strings.Reader](&m); p != nil || err != nil || !m.Empty() {
		t.Errorf("Take gives %v, %v, and the message is empty: %v", p, err, m.Empty())
	}
}

func TestPeekBorrows(t *testing.T) {
	l := newLedger(t)
	m := l.message(5)
	defer m.Release()
	for range 2 {
		b, err := sluice.Peek[*block](&m)
		if err != nil || b.n != 5 {
			t.Fatalf("Peek gives %v, %v", b, err)
		}
	}
	if m.Empty() || !l.isLive(5) {
		t.Error("Peek took the payload away")
	}
}

func TestTakeMovesThePayloadOut(t *testing.T) {
	l := newLedger(t)
	m := l.message(5)
	b, err := sluice.Take[*block](&m)
	if err != nil || b.n != 5 {
		t.Fatalf("Take gives %v, %v", b, err)
	}
	if !m.Empty() || m.Seq() != 5 {
		t.Errorf("empty: %v, number %d; want an empty message of number 5", m.Empty(), m.Seq())
	}
	m.Release()
	if l.live() != 1 {
		t.Error("Release of the message freed the payload that was taken out of it")
	}
	if _, err := sluice.Take[*block](&m); err != sluice.ErrEmptyMessage {
		t.Errorf("the second Take gives %v", err)
	}
	b.Release()
}

func TestPeekAndTakeGiveInterfaceTypes(t *testing.T) {
	m := sluice.NewMessage(0, errors.New("payload"))
	if v, err := sluice.Peek[error](&m); err != nil || v.Error() != "payload" {
		t.Errorf("Peek gives %v, %v", v, err)
	}
	if v, err := sluice.Peek[any](&m); err != nil || v == nil {
		t.Errorf("Peek gives %v, %v", v, err)
	}
	if v, err := sluice.Take[error](&m); err != nil || v.Error() != "payload" {
		t.Errorf("Take gives %v, %v", v, err)
	}
}

func TestTypeErrorLeavesTheMessageUntouched(t *testing.T) {
	l := newLedger(t)
	m := l.message(5)
	defer m.Release()
	before := m

	check := func(what string, err error, want reflect.Type) {
		t.Helper()
		var wrong *sluice.TypeError
		if !errors.As(err, &wrong) || wrong.Want != want || wrong.Got != reflect.TypeFor[*block]() {
			t.Errorf("%s gives %v, want a TypeError from *block to %v", what, err, want)
		}
		if !strings.Contains(err.Error(), want.String()) || !strings.Contains(err.Error(), "*sluice_test.block") {
			t.Errorf("%s: %q does not name both types", what, err)
		}
		if m != before {
			t.Errorf("%s changed the message", what)
		}
	}
	_, err := sluice.Peek[int](&m)
	check("Peek", err, reflect.TypeFor[int]())
	_, err = sluice.Take[int](&m)
	check("Take", err, reflect.TypeFor[int]())
	_, err = sluice.Peek[io.Reader](&m)
	check("Peek to an interface", err, reflect.TypeFor[io.Reader]())
	_, err = sluice.Take[io.Reader](&m)
	check("Take to an interface", err, reflect.TypeFor[io.Reader]())
	_, err = sluice.Take[block](&m)
	check("Take of the value behind the pointer", err, reflect.TypeFor[block]())
}

func TestReplaceKeepsNumberAndReceipt(t *testing.T) {
	l := newLedger(t)
	m := newGate(t, 1).held(t, l.message(5))
	receipt := m.Receipt()
	b, err := sluice.Take[*block](&m)
	errIs(t, err, nil)
	if m.Receipt() != receipt {
		t.Error("Take lost the receipt")
	}
	m.Replace(l.block(6, 0))
	b.Release()
	if m.Seq() != 5 || m.Receipt() != receipt {
		t.Errorf("after Replace the number is %d and the receipt is kept: %v", m.Seq(), m.Receipt() == receipt)
	}
	if b, err := sluice.Peek[*block](&m); err != nil || b.n != 6 {
		t.Errorf("the payload is %v, %v", b, err)
	}
	m.Release()
}

func TestReplaceReleasesAPayloadThatWasNotTaken(t *testing.T) {
	l := newLedger(t)
	m := l.message(5)
	m.Replace(l.block(6, 0))
	if l.isLive(5) || !l.isLive(6) {
		t.Errorf("old payload alive: %v, new one: %v", l.isLive(5), l.isLive(6))
	}
	m.Replace(nil)
	if !m.Empty() || m.Seq() != 5 {
		t.Errorf("Replace(nil): empty %v, number %d", m.Empty(), m.Seq())
	}
}

func TestReleaseFreesPayloadAndReceipt(t *testing.T) {
	l := newLedger(t)
	g := newGate(t, 1)
	m := g.held(t, l.message(5))
	if g.out(t) == 0 {
		t.Fatal("the ticket is not out while the message is alive")
	}
	m.Release()
	if l.live() != 0 || g.out(t) != 0 {
		t.Errorf("after Release %d payloads are alive and %d tickets out", l.live(), g.out(t))
	}
	if !m.Empty() || m.Receipt() != nil {
		t.Error("Release left something in the message")
	}
	m.Release() // a no-op; the ledger and the throttle would tell
	if g.out(t) != 0 {
		t.Error("the second Release returned the ticket again")
	}
}

func TestReleaseAfterTakeStillReturnsTheReceipt(t *testing.T) {
	l := newLedger(t)
	g := newGate(t, 1)
	m := g.held(t, l.message(5))
	b, err := sluice.Take[*block](&m)
	errIs(t, err, nil)
	b.Release()
	if g.out(t) != 1 {
		t.Fatal("Take returned the ticket")
	}
	m.Release()
	if g.out(t) != 0 {
		t.Error("Release of a message whose payload was taken kept its receipt")
	}
}

func TestReleaseOfAPlainValueIsFine(t *testing.T) {
	m := sluice.NewMessage(3, 42)
	m.Release()
	if !m.Empty() {
		t.Error("the message still has its payload")
	}
}

func TestDeferredReleaseIsRightWhateverHappened(t *testing.T) {
	l := newLedger(t)
	c := sluice.NewChannel("c", sluice.Slots(4))
	for what, use := range map[string]func(m *sluice.Message){
		"sent":     func(m *sluice.Message) { _ = c.Send(t.Context(), m) },
		"taken":    func(m *sluice.Message) { b, _ := sluice.Take[*block](m); b.Release() },
		"replaced": func(m *sluice.Message) { m.Replace(l.block(1, 0)) },
		"dropped":  func(m *sluice.Message) {},
		"refused":  func(m *sluice.Message) { _ = sluice.NewChannel("ints", sluice.Of[int]()).Send(t.Context(), m) },
	} {
		func() {
			m := l.message(0)
			defer m.Release()
			use(&m)
		}()
		want := 0
		if what == "sent" {
			want = 1
		}
		if got := c.Len(); got != want {
			t.Errorf("%s: %d messages in the channel", what, got)
		}
		if c.Len() > 0 {
			mustRecv(t, c)
		}
		if l.live() != 0 {
			t.Errorf("%s: %d payloads alive", what, l.live())
		}
	}
}

func TestCopyIsAMessageOfItsOwn(t *testing.T) {
	l := newLedger(t)
	m := newGate(t, 1).held(t, l.message(5))
	dup, err := m.Copy(t.Context(), nil)
	errIs(t, err, nil)
	if dup.Seq() != 5 {
		t.Errorf("the copy has number %d", dup.Seq())
	}
	if dup.Receipt() != nil {
		t.Error("the copy carries the receipt: it would come back twice")
	}
	if m.Receipt() == nil {
		t.Error("the original lost its receipt")
	}
	b, err := sluice.Peek[*block](&dup)
	if err != nil || !b.isCopy {
		t.Errorf("the copy carries %v, %v", b, err)
	}
	m.Release()
	if l.live() != 1 {
		t.Errorf("%d payloads alive after the original went, want 1", l.live())
	}
	dup.Release()
}

func TestCopyNeedsACopyMethod(t *testing.T) {
	m := sluice.NewMessage(5, strings.NewReader("x"))
	dup, err := m.Copy(t.Context(), nil)
	errIs(t, err, sluice.ErrNotCopyable)
	if !strings.Contains(err.Error(), "*strings.Reader") {
		t.Errorf("%q does not name the type", err)
	}
	if !dup.Empty() || m.Empty() {
		t.Error("a failed Copy changed something")
	}
}

// uncopyable is a payload whose Copy fails.
type uncopyable struct{ err error }

func (u uncopyable) Copy(ctx context.Context, res *mem.Reservation) (any, error) {
	if res != nil || ctx == nil {
		return nil, fmt.Errorf("called with %v and %v", ctx, res)
	}
	return 1, u.err
}

func TestCopyPassesOnWhatThePayloadSays(t *testing.T) {
	m := sluice.NewMessage(5, uncopyable{io.ErrShortBuffer})
	dup, err := m.Copy(t.Context(), nil)
	if err != io.ErrShortBuffer || !dup.Empty() {
		t.Errorf("Copy gives %v and an empty message: %v", err, dup.Empty())
	}
	if _, err := sluice.Peek[uncopyable](&m); err != nil {
		t.Errorf("the original is gone: %v", err)
	}
}

func TestContentIsWhatThePayloadSays(t *testing.T) {
	l := newLedger(t)
	m := l.heavy(0, 123)
	defer m.Release()
	if got := m.Content(); got.In(mem.Host) != 123 || got.Total() != 123 || got.Spillable {
		t.Errorf("Content is %+v", got)
	}
	plain := sluice.NewMessage(0, "text")
	if got := plain.Content(); got != (mem.Content{}) {
		t.Errorf("a plain value has Content %+v", got)
	}
}
