package sluice_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
)

// A ledger knows which of the blocks it made are alive, and tells on whoever loses
// one or releases one twice. It may be used by several goroutines.
type ledger struct {
	mu    sync.Mutex
	alive map[*block]bool
	made  int
	wrong []string // double releases
}

// newLedger returns a ledger whose blocks must all be released, once, by the end of
// the test.
func newLedger(t testing.TB) *ledger {
	l := &ledger{}
	t.Cleanup(func() {
		t.Helper()
		for _, problem := range l.problems() {
			t.Error(problem)
		}
	})
	return l
}

// A block is a payload that owns memory: it has all the methods that a payload can
// have today.
type block struct {
	ledger *ledger
	n      int
	bytes  int64
	isCopy bool
}

// block returns a live block.
func (l *ledger) block(n int, bytes int64) *block {
	b := &block{ledger: l, n: n, bytes: bytes}
	l.add(b)
	return b
}

// message returns a message of that number with a block of that number in it, which
// owns no bytes.
func (l *ledger) message(n int) sluice.Message { return l.heavy(n, 0) }

// heavy returns a message whose block owns that many bytes.
func (l *ledger) heavy(n int, bytes int64) sluice.Message {
	return sluice.NewMessage(sluice.SeqNum(n), l.block(n, bytes))
}

// messages returns messages numbered from first, n of them.
func (l *ledger) messages(first, n int) []sluice.Message {
	ms := make([]sluice.Message, n)
	for i := range ms {
		ms[i] = l.message(first + i)
	}
	return ms
}

func (l *ledger) add(b *block) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.alive == nil {
		l.alive = map[*block]bool{}
	}
	l.alive[b] = true
	l.made++
}

// live returns how many blocks are alive.
func (l *ledger) live() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.alive)
}

// isLive reports whether the blocks of that number, copies included, are alive.
func (l *ledger) isLive(n int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for b := range l.alive {
		if b.n == n {
			return true
		}
	}
	return false
}

// problems returns what went wrong, if nothing may be alive any more.
func (l *ledger) problems() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	problems := l.wrong
	if len(l.alive) > 0 {
		problems = append(problems, fmt.Sprintf("%d of %d payloads were not released", len(l.alive), l.made))
	}
	return problems
}

func (b *block) Release() {
	b.ledger.mu.Lock()
	defer b.ledger.mu.Unlock()
	if !b.ledger.alive[b] {
		b.ledger.wrong = append(b.ledger.wrong, fmt.Sprintf("payload %d was released twice", b.n))
	}
	delete(b.ledger.alive, b)
}

func (b *block) Content() mem.Content {
	var content mem.Content
	content.Bytes[mem.Host] = b.bytes
	return content
}

func (b *block) Copy(context.Context, *mem.Reservation) (any, error) {
	c := &block{ledger: b.ledger, n: b.n, bytes: b.bytes, isCopy: true}
	b.ledger.add(c)
	return c, nil
}

// A weightless is a payload that is released, but has no Content: a batch of them
// goes through SendN and RecvN in one piece.
type weightless struct{ b *block }

func (l *ledger) weightless(n int) sluice.Message {
	return sluice.NewMessage(sluice.SeqNum(n), weightless{l.block(n, 0)})
}

func (w weightless) Release() { w.b.Release() }
