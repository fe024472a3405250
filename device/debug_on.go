//go:build sluicedebug

package device

import (
	"fmt"
	"runtime/debug"
	"sync/atomic"
)

// debugging says that this is the debug build.
const debugging = true

// A trace remembers where a block was allocated and freed.
type trace struct{ born, died atomic.Pointer[[]byte] }

func here() *[]byte {
	stack := debug.Stack()
	return &stack
}

func (t *trace) allocated() { t.born.Store(here()) }

func (t *trace) retired() { t.died.Store(here()) }

func (t *trace) birth() string { return string(*t.born.Load()) }

// story tells of a block that was freed.
func (t *trace) story() string {
	s := fmt.Sprintf("\nallocated at\n%s", *t.born.Load())
	if died := t.died.Load(); died != nil { // nil while another goroutine frees it
		s += fmt.Sprintf("\nfreed at\n%s", *died)
	}
	return s
}
