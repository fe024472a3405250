package table

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"sync"
)

// standardInput is what all scans of this process share, so that one may look at what
// another is going to read.
var standardInput = sync.OnceValue(func() *bufio.Reader { return bufio.NewReaderSize(os.Stdin, csvSample) })

// awaitInput waits until a sample of standard input can be had without waiting, or the run ends.
func awaitInput(ctx context.Context, stdin *bufio.Reader) error {
	if stdin.Buffered() == stdin.Size() {
		return nil
	}
	ready := make(chan struct{})
	go func() {
		_, _ = stdin.Peek(stdin.Size()) // whoever takes the sample sees the error
		close(ready)
	}()
	select {
	case <-ready:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A pump reads what may never come to an end, so that who waits for it can be called off: a read
// of a terminal or a pipe cannot. What it reads into is its own, because a read that was left
// alone may still finish.
type pump struct {
	ctx   context.Context
	name  string
	ready chan pumped
	free  chan []byte
	left  []byte
	used  []byte
	err   error
}

type pumped struct {
	bytes []byte
	err   error
}

func startPump(ctx context.Context, name string, from io.Reader) *pump {
	p := &pump{ctx: ctx, name: name, ready: make(chan pumped, 1), free: make(chan []byte, 1)}
	p.free <- make([]byte, 64<<10)
	go p.run(from)
	return p
}

func (p *pump) run(from io.Reader) {
	for {
		select {
		case <-p.ctx.Done():
			return
		case into := <-p.free:
			n, err := from.Read(into)
			p.ready <- pumped{into[:n], err} // there is room: there is one buffer
			if err != nil {
				return
			}
		}
	}
}

func (p *pump) Read(into []byte) (int, error) {
	for len(p.left) == 0 && p.err == nil {
		if p.used != nil {
			p.free <- p.used[:cap(p.used)]
			p.used = nil
		}
		select {
		case <-p.ctx.Done():
			return 0, p.ctx.Err()
		case next := <-p.ready:
			p.left, p.used, p.err = next.bytes, next.bytes, next.err
		}
	}
	n := copy(into, p.left)
	p.left = p.left[n:]
	if n > 0 || p.err == io.EOF {
		if n == 0 {
			return 0, io.EOF
		}
		return n, nil
	}
	return 0, fmt.Errorf("%s: %w", p.name, plainCause(p.err))
}
