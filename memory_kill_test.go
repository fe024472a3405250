//go:build unix

package sluice_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
)

// killDir is where the child of the test below spills to.
const killDir = "SLUICE_TEST_KILL_DIR"

func TestAProcessKilledWhileSpillingLeavesNoFile(t *testing.T) {
	if dir := os.Getenv(killDir); dir != "" {
		spillForever(t, dir)
		return
	}
	dir := t.TempDir()
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), killDir+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	errIs(t, err, nil)
	errIs(t, child.Start(), nil)
	said := ""
	for lines := bufio.NewScanner(out); !strings.HasPrefix(said, "spilled") && lines.Scan(); {
		said = lines.Text()
	}
	errIs(t, child.Process.Kill(), nil) // SIGKILL, while it goes on spilling
	_ = child.Wait()                    // which says that it was killed
	if child.ProcessState.Exited() {
		t.Fatalf("it ended by itself: %v", child.ProcessState)
	}
	if !strings.HasPrefix(said, "spilled") {
		t.Fatalf("it has not spilled anything: %q", said)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("the spill directory has %v, %v", left, err)
	}
}

// spillForever keeps spilling and restoring, and says so once it does.
func spillForever(t *testing.T, dir string) {
	r, err := mem.New(mem.Options{SpillDir: dir, Limits: limits(4 * piece)})
	errIs(t, err, nil)
	net := sluice.NewNetwork("child", sluice.WithMemory(r))
	rows := net.Channel("rows", sluice.Slots(20))
	var n atomic.Int64
	net.Node("fill", fills(rows, 1<<40), sluice.Writes(rows))
	net.Node("look", func(ctx context.Context) error {
		for r.Stats().Kinds[mem.Host].Spilled < 10*piece {
			runtime.Gosched()
		}
		fmt.Println("spilled")
		return looks(rows, &n)(ctx)
	}, sluice.Reads(rows).At(mem.Host))
	errIs(t, net.Run(context.Background()), nil)
}
