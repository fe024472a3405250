//go:build sluicedebug

package mem_test

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/seed14ed4225/sluice/mem"
)

//go:noinline
func allocateHere(t *testing.T, r *mem.Resource) *mem.Buffer { return alloc(t, r, mem.Host, 100, nil) }

//go:noinline
func releaseHere(b *mem.Buffer) { b.Release() }

func TestTheDebugBuildSaysWhereABufferWasAllocatedAndReleased(t *testing.T) {
	r := newResource(t, mem.Options{})
	b := allocateHere(t, r)
	releaseHere(b)
	defer func() {
		story := fmt.Sprint(recover())
		for _, place := range []string{"allocateHere", "releaseHere"} {
			if !strings.Contains(story, place) {
				t.Errorf("%s does not name %s", story, place)
			}
		}
	}()
	b.Release()
}

func TestTheDebugBuildSaysWhereALeakCameFrom(t *testing.T) {
	r := newResource(t, mem.Options{SpillDir: t.TempDir()})
	scope := r.Scope("leaky")
	b := allocateHere(t, scope)
	wantWhere := func() {
		t.Helper()
		err := scope.Close(context.Background())
		if leak := errAs[*mem.LeakError](t, err); !strings.Contains(leak.Leaks[0].Where, "allocateHere") {
			t.Errorf("%v does not say where", err)
		}
	}
	wantWhere()
	spill(t, r, b, mem.Disk)
	wantWhere()
	restore(t, r, b, mem.Host) // now it is of r
	errIs(t, scope.Close(context.Background()), nil)
	b.Release()
}

func TestTheDebugBuildUnmapsWhatIsReleased(t *testing.T) {
	r := newResource(t, mem.Options{SpillDir: t.TempDir()})
	for _, leave := range []func(*mem.Buffer){
		func(b *mem.Buffer) { b.Release() },
		func(b *mem.Buffer) { spill(t, r, b, mem.Disk); b.Release() },
	} {
		b := alloc(t, r, mem.Host, 100, nil)
		late, err := b.Bytes()
		errIs(t, err, nil)
		if late[0] != 0xdb {
			t.Errorf("fresh memory holds %#x, want what nobody would write", late[0])
		}
		leave(b)
		if !raceDetector && !writeFaults(late) {
			t.Error("memory that was released can be written")
		}
	}
}

func writeFaults(late []byte) (faults bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() { faults = recover() != nil }()
	write(late)
	return false
}

// write is a function of its own because the compiler expects no panic of a store.
//
//go:noinline
func write(b []byte) { b[0] = 1 }
