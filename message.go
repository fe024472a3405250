package sluice

import (
	"context"
	"fmt"
	"reflect"

	"github.com/seed14ed4225/sluice/mem"
)

// SeqNum is the sequence number of a message: its place in the stream it belongs
// to. Numbers rise strictly from one producer to one channel; gaps are fine.
type SeqNum uint64

// A Message is a payload of any type with a sequence number. It moves: whoever
// holds it owns it, a successful send empties it, and the holder of a message that
// is not sent on releases it. Because all three leave it empty,
//
//	defer m.Release()
//
// right after a message was received or made is always right.
//
// In a network with memory, a payload may come out of a channel, and out of a send that
// failed, in slower memory than it was in: a port made with [Port.At] brings it back, and so
// does [Message.Restore].
//
// Copying the struct does not copy the payload; only one of the two copies may be
// used afterwards. A Message is not safe for use by several goroutines at once.
type Message struct {
	// Four words: the compiler keeps larger structs out of registers, which costs
	// more per hop than everything else that the fast path does beside locking.
	payload any
	seq     SeqNum
	receipt *Receipt
}

// NewMessage returns a message that owns payload. With a nil payload it is empty,
// and no channel takes it.
func NewMessage(seq SeqNum, payload any) Message {
	return Message{payload: payload, seq: seq}
}

// Seq returns the sequence number.
func (m *Message) Seq() SeqNum { return m.seq }

// Empty reports whether the message carries no payload.
func (m *Message) Empty() bool { return m.payload == nil }

// Content returns the bytes the payload owns, per kind of memory: what its Content
// method says, or zero for a plain value.
func (m *Message) Content() mem.Content { return contentOf(m.payload) }

// Receipt returns the receipt that the message carries to its last holder, or nil
// unless it was sent with [Ticket.SendHeld].
func (m *Message) Receipt() *Receipt { return m.receipt }

// Copy returns a second message with the same number and a copy of the payload,
// made by the payload's own Copy method and charged to res (nil: unaccounted). The
// copy carries no receipt. A payload without that method is [ErrNotCopyable]; an
// empty message is [ErrEmptyMessage].
func (m *Message) Copy(ctx context.Context, res *mem.Reservation) (Message, error) {
	if m.payload == nil {
		return Message{}, ErrEmptyMessage
	}
	p, ok := m.payload.(copier)
	if !ok {
		return Message{}, fmt.Errorf("%w: %T has no Copy method", ErrNotCopyable, m.payload)
	}
	payload, err := p.Copy(ctx, res)
	if err != nil {
		return Message{}, err
	}
	return Message{payload: payload, seq: m.seq}, nil
}

// Restore brings the payload back from slower memory to kinds in which res has room
// enough. For a payload without that method it is an error; an empty message is
// [ErrEmptyMessage]. On an error the payload is where it was.
func (m *Message) Restore(ctx context.Context, res *mem.Reservation) error {
	if m.payload == nil {
		return ErrEmptyMessage
	}
	p, ok := m.payload.(restorer)
	if !ok {
		return fmt.Errorf("%w: %T", errNotRestorable, m.payload)
	}
	_, err := p.Restore(ctx, res)
	return err
}

// Replace gives the message a new payload in place of the one that was taken.
// Number and receipt stay, so that a transform passes on what it was given. A
// payload that is still there is released first: one that was changed in place after
// [Peek] needs no Replace.
func (m *Message) Replace(payload any) {
	old := m.payload
	m.payload = payload // first: a Release that panics is not called again
	if old != nil {
		releasePayload(old)
	}
}

// Release frees the payload, through its Release method if it has one, and the
// receipt. The message is empty afterwards. Releasing an empty message is a no-op,
// except that it returns the receipt left behind by [Take].
func (m *Message) Release() {
	payload, receipt := m.payload, m.receipt
	*m = Message{seq: m.seq}
	if receipt != nil {
		defer receipt.Release() // also if the payload's Release panics
	}
	if payload != nil {
		releasePayload(payload)
	}
}

// Peek returns the payload and leaves it in the message: the caller borrows it
// until the message is sent, taken or released. T may be an interface type. The
// errors are [ErrEmptyMessage] and [*TypeError].
func Peek[T any](m *Message) (T, error) {
	if v, ok := m.payload.(T); ok {
		return v, nil
	}
	var zero T
	return zero, mismatch[T](m)
}

// Take moves the payload out: it is the caller's to release, and the message is
// empty but keeps its number and receipt. T may be an interface type. On error
// ([ErrEmptyMessage] or [*TypeError]) the message is untouched.
func Take[T any](m *Message) (T, error) {
	v, err := Peek[T](m)
	if err == nil {
		m.payload = nil
	}
	return v, err
}

func mismatch[T any](m *Message) error {
	if m.payload == nil {
		return ErrEmptyMessage
	}
	return &TypeError{Want: reflect.TypeFor[T](), Got: reflect.TypeOf(m.payload)}
}
