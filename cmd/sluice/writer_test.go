package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
)

func TestAPatientWriterWritesInOrderAndReturnsErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		w := newPatientWriter(t.Context(), &out)
		defer w.close()
		line := []byte("a\n")
		for range 3 {
			if n, err := w.Write(line); n != 2 || err != nil {
				t.Errorf("got %d, %v", n, err)
			}
			line[0]++
		}
		if out.String() != "a\nb\nc\n" {
			t.Errorf("got %q", &out)
		}

		reader, writer := io.Pipe()
		full := errors.New("full")
		reader.CloseWithError(full)
		broken := newPatientWriter(t.Context(), writer)
		defer broken.close()
		if n, err := broken.Write(line); n != 0 || !errors.Is(err, full) {
			t.Errorf("got %d, %v", n, err)
		}
	})
}

func TestAPatientWriterDoesNotHoldUpAContextThatEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader, stuck := io.Pipe() // nobody reads it
		ctx, cancel := context.WithCancelCause(t.Context())
		enough := errors.New("enough")
		w := newPatientWriter(ctx, stuck)
		defer w.close()
		line := []byte("first")
		written := make(chan error)
		go func() {
			_, err := w.Write(line)
			written <- err
		}()
		synctest.Wait()
		cancel(enough)
		if err := <-written; !errors.Is(err, enough) {
			t.Errorf("got %v", err)
		}
		if _, err := w.Write([]byte("second")); !errors.Is(err, enough) {
			t.Errorf("got %v", err)
		}

		// What it was given is the caller's again, though the write goes on.
		copy(line, "other")
		got := make([]byte, 5)
		if _, err := io.ReadFull(reader, got); err != nil || string(got) != "first" {
			t.Errorf("got %q, %v", got, err)
		}
	})
}
