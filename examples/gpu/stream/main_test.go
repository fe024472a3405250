package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda"
	"github.com/seed14ed4225/sluice/device/cuda/cudatest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// devices are what every test runs on.
func devices(t *testing.T, test func(t *testing.T, open opener)) {
	t.Run("host", func(t *testing.T) {
		test(t, func(_ string, trace device.Trace) (device.Device, error) { return open("host", trace) })
	})
	t.Run("simulated", func(t *testing.T) {
		sim := cudatest.New(cudatest.Options{Slow: 100 * time.Microsecond})
		test(t, func(_ string, trace device.Trace) (device.Device, error) {
			return sim.Open(0, cuda.Options{Trace: trace})
		})
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		if err := sim.Check(ctx); err != nil {
			t.Errorf("the driver was used wrongly: %v", err)
		}
	})
	t.Run("gpu", func(t *testing.T) {
		d, err := cuda.Open(0, cuda.Options{})
		if errors.Is(err, cuda.ErrUnavailable) || errors.Is(err, cuda.ErrNoDevice) {
			t.Skip(err)
		}
		if err == nil {
			err = d.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		test(t, func(_ string, trace device.Trace) (device.Device, error) { return open("cuda:0", trace) })
	})
}

// start is what main does.
func start(ctx context.Context, args []string, stdout io.Writer, open opener) error {
	s, err := parse(args, io.Discard)
	if err != nil {
		return err
	}
	return run(ctx, s, stdout, open)
}

func floats(values ...float32) []byte {
	var b []byte
	for _, v := range values {
		b = binary.NativeEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

// TestAFileLargerThanTheDeviceGoesThroughIt also looks at the timeline.
func TestAFileLargerThanTheDeviceGoesThroughIt(t *testing.T) {
	const count, perPiece = 100_001, 1 << 12 // the last piece is one float
	devices(t, func(t *testing.T, open opener) {
		dir := t.TempDir()
		in, out, trace := filepath.Join(dir, "in"), filepath.Join(dir, "out"), filepath.Join(dir, "trace.json")
		var y, want []float32
		for i := range count {
			y = append(y, float32(i%777))
			want = append(want, 3*float32(i%perPiece)+float32(i%777))
		}
		if err := os.WriteFile(in, floats(y...), 0o600); err != nil {
			t.Fatal(err)
		}
		var stdout bytes.Buffer
		args := []string{"-in", in, "-out", out, "-trace", trace, "-a", "3", "-piece", "16KiB", "-limit", "64KiB", "-files", "3"}
		check(t, start(t.Context(), args, &stdout, open))
		got, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, floats(want...)) {
			t.Errorf("the output of %d bytes is not 3x + y, which has %d", len(got), 4*count)
		}
		if !strings.Contains(stdout.String(), "in pieces of 16KiB through 64KiB of ") {
			t.Errorf("says %s", stdout.String())
		}

		counts := traced(t, trace)
		pieces := (count + perPiece - 1) / perPiece
		if counts["copy to device"] != pieces+1 || counts["copy from device"] != pieces || counts["kernel"]+counts["function"] != pieces {
			t.Errorf("the timeline of %d pieces has %v", pieces, counts)
		}
	})
}

// traced counts what a Chrome trace has of each category.
func traced(t *testing.T, name string) map[string]int {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var trace []struct{ Ph, Cat string }
	if err := json.Unmarshal(text, &trace); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, e := range trace {
		if e.Ph == "X" {
			counts[e.Cat]++
		}
	}
	return counts
}

func TestWithoutFilesItMakesItsOwnAndRemovesThem(t *testing.T) {
	devices(t, func(t *testing.T, open opener) {
		dir := t.TempDir()
		t.Setenv("TMPDIR", dir)
		var stdout bytes.Buffer
		check(t, start(t.Context(), []string{"-size", "1MiB", "-piece", "64KiB", "-limit", "256KiB"}, &stdout, open))
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})
}

func TestWhatIsWrongIsSaid(t *testing.T) {
	dir := t.TempDir()
	odd := filepath.Join(dir, "odd")
	if err := os.WriteFile(odd, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	whole := filepath.Join(dir, "whole")
	if err := os.WriteFile(whole, floats(1, 2, 3), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	check(t, os.Symlink(whole, link))
	for _, test := range []struct{ args, want string }{
		{"-in " + odd, "has 5 bytes, which is no whole number of float32"},
		{"-in " + filepath.Join(dir, "none"), "no such file"},
		{"-in " + whole + " -out " + whole, "are one file"},
		{"-in " + whole + " -out " + link, "are one file"},
		{"-in " + whole + " -trace " + whole, "are one file"},
		{"-trace " + dir + "/new -out " + dir + "/new", "are one file"},
		{"-in " + whole + " -out " + whole + "2 -device cuda:99", "cuda"},
		{"-in " + whole + " -out " + filepath.Join(dir, "none", "out"), "no such file"},
		{"-in " + dir, "is not a regular file"},
		{"-device gpu", "want host, cuda:0"},
		{"-device cuda:0x", "want host, cuda:0"},
		{"-device cuda:+1", "want host, cuda:0"},
		{"-a nan", "want what a float32 can be"},
		{"-a 1e300", "want what a float32 can be"},
		{"-piece 3EiB -limit 1KiB", "want at most 1GiB"},
		{"-piece 16MiB -limit 32MiB", "want at least 48MiB, which is 3 pieces"},
		{"-files 0", "want 1 to 1024"},
		{"-piece 3", "want whole floats"},
		{"-size 25%", "want whole floats"},
		{"extra", "unexpected extra"},
	} {
		var stdout bytes.Buffer
		err := start(t.Context(), strings.Fields(test.args), &stdout, open)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error is %v, want %q", test.args, err, test.want)
		}
	}
	if _, err := os.Stat(whole + "2"); err == nil {
		t.Error("an output was made for a device that is not there")
	}
	if kept, err := os.ReadFile(whole); err != nil || !slices.Equal(kept, floats(1, 2, 3)) {
		t.Errorf("the file that was to be read has %v, %v", kept, err)
	}
}

func TestACancelledRunEndsWithTheCause(t *testing.T) {
	devices(t, func(t *testing.T, open opener) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var stdout bytes.Buffer
		if err := start(ctx, []string{"-size", "1MiB"}, &stdout, open); !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v", err)
		}
	})
}
