package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"github.com/seed14ed4225/sluice/device/cuda"
)

// The test binary is also the command: called as sluice, it is what main is.
func TestMain(m *testing.M) {
	testscript.Main(leakChecked{m}, map[string]func(){
		"sluice":           main,
		"sluice-with-gpus": mainWithGPUs,
		"stubborn":         stubborn,
		"on-small-disk":    onSmallDisk,
	})
}

// leakChecked fails the tests if they leave a goroutine behind.
type leakChecked struct{ tests *testing.M }

func (l leakChecked) Run() int {
	status := l.tests.Run()
	if status == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return status
}

// stubborn does not end when it is interrupted.
func stubborn() {
	ctx, _ := interruptible(context.Background())
	fmt.Println("ready")
	<-ctx.Done()
	fmt.Println(context.Cause(ctx))
	select {}
}

// TestScripts runs the command as people do. Beside the commands of testscript,
// scripts have
//
//	status N command args...      run a command that must exit with status N
//	cut N from to                 copy the first N bytes of a file
//	spoil offset N from to        copy a file with N bytes overwritten
//	nested file                   write a Parquet file with a column of lists
//	empty folder                  check that a folder holds at most a file keep
//
// and $DATA, the folder of the example data; sluice-with-gpus, which is sluice on a
// machine with two simulated GPUs; and the conditions gpu, if this machine has a GPU,
// nocuda, if the command was built without them, and root, if files can be read that may not be.
func TestScripts(t *testing.T) {
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("EXAMPLES", examples)
			env.Setenv("DATA", filepath.Join(examples, "data"))
			// The race detector has every process sleep a second at its end.
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"status": scriptStatus,
			"cut":    scriptCut,
			"spoil":  scriptSpoil,
			"nested": scriptNested,
			"empty":  scriptEmpty,
		},
		Condition: func(name string) (bool, error) {
			_, err := cuda.Devices()
			switch name {
			case "gpu":
				return err == nil, nil
			case "root":
				return os.Geteuid() == 0, nil
			case "nocuda":
				return builtWithoutCUDA, nil
			}
			return false, fmt.Errorf("unknown condition %q", name)
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

func scriptStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N command args...")
	}
	want := scriptNumber(ts, args[0])
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

func scriptCut(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: cut N from to")
	}
	data, err := os.ReadFile(ts.MkAbs(args[1]))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), data[:scriptNumber(ts, args[0])], 0o666))
}

func scriptSpoil(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: spoil offset N from to")
	}
	data, err := os.ReadFile(ts.MkAbs(args[2]))
	ts.Check(err)
	offset := scriptNumber(ts, args[0])
	for i := range scriptNumber(ts, args[1]) {
		data[offset+i] = 0xa5
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[3]), data, 0o666))
}

func scriptNested(ts *testscript.TestScript, neg bool, args []string) {
	type row struct {
		ID   int64    `parquet:"id"`
		Tags []string `parquet:"tags"`
	}
	if neg || len(args) != 1 {
		ts.Fatalf("usage: nested file")
	}
	ts.Check(parquet.WriteFile(ts.MkAbs(args[0]), []row{{1, []string{"a", "b"}}, {2, nil}}))
}

func scriptEmpty(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: empty folder")
	}
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	for _, e := range entries {
		if e.Name() != "keep" { // without a file in it, a script makes no folder
			ts.Fatalf("%s holds %s", args[0], e.Name())
		}
	}
}

func scriptNumber(ts *testscript.TestScript, text string) int {
	n, err := strconv.Atoi(text)
	ts.Check(err)
	return n
}
