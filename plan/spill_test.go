package plan_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/plan"
)

// hoard is a kind of node that keeps more buffers than it needs at a time, and
// looks whether they come back as they were.
type hoard struct {
	Buffers int  `job:"buffers,required" doc:"how many, of 1 MiB each"`
	Leaks   bool `job:"leaks" doc:"whether it forgets one"`
}

const hoarded = 1 << 20

var hoardedBytes = bytes.Repeat([]byte("flights "), hoarded/8)

func (h *hoard) Schema([]*arrow.Schema) ([]*arrow.Schema, error) { return nil, nil }

func (h *hoard) Add(to *sluice.Network, at plan.Place) error {
	to.Node(at.Name, func(ctx context.Context) (err error) {
		memory := mem.FromContext(ctx)
		var kept []*mem.Buffer
		var known []*mem.Registration
		defer func() {
			for i, b := range kept {
				known[i].Remove()
				if !h.Leaks || i > 0 {
					b.Release()
				}
			}
		}()
		for i := range h.Buffers {
			b, err := allocate(ctx, memory)
			if err != nil {
				return err
			}
			kept = append(kept, b)
			known = append(known, memory.Register(ctx, fmt.Sprintf("buffer %d", i), b))
		}
		for i, b := range kept {
			known[i].Remove()
			if err := restore(ctx, memory, b); err != nil {
				return err
			}
			if got, err := b.Bytes(); err != nil || !bytes.Equal(got, hoardedBytes) {
				return fmt.Errorf("buffer %d came back otherwise: %w", i, err)
			}
			known[i] = memory.Register(ctx, fmt.Sprintf("buffer %d", i), b)
		}
		return nil
	})
	return nil
}

func allocate(ctx context.Context, memory *mem.Resource) (*mem.Buffer, error) {
	res, err := memory.Reserve(ctx, mem.Host, hoarded)
	if err != nil {
		return nil, err
	}
	defer res.Release()
	b, err := res.Alloc(mem.Host, hoarded, nil)
	if err != nil {
		return nil, err
	}
	content, err := b.Exclusive()
	if err != nil {
		return nil, err
	}
	copy(content, hoardedBytes)
	return b, nil
}

func restore(ctx context.Context, memory *mem.Resource, b *mem.Buffer) error {
	if b.Kind() == mem.Host {
		return nil
	}
	res, err := memory.Reserve(ctx, mem.Host, hoarded)
	if err != nil {
		return err
	}
	defer res.Release()
	_, err = b.Restore(ctx, res)
	return err
}

// hoarding is a job of such a node. Its limits are those that its memory is to have.
func hoarding(t *testing.T, settings, limits, dir string) *plan.Job {
	t.Helper()
	kinds := plan.Kinds{{Name: "hoard", Settings: func() plan.Step { return &hoard{} }}}
	src := "params: {dir: null}\nnodes:\n  hog: {kind: hoard, " + settings + "}\nmemory: {spill_dir: \"${dir}\", " + limits + "}\n"
	job, err := kinds.Parse("job.yaml", []byte(src), map[string]string{"dir": dir})
	if err != nil {
		t.Fatal(err)
	}
	return job
}

func TestAJobSpillsToTheFolderItNames(t *testing.T) {
	for _, compress := range []string{"off", "lz4", "zstd"} {
		t.Run(compress, func(t *testing.T) {
			dir := t.TempDir()
			job := hoarding(t, "buffers: 16", "host: 4MiB, disk: 32MiB, compress: "+compress, dir)
			memory, err := job.Memory(plan.Memory{})
			if err != nil {
				t.Fatal(err)
			}
			err = job.Run(t.Context(), plan.Env{Memory: memory})
			used := memory.Stats()
			closed(t, memory)
			if err != nil {
				t.Fatal(err)
			}
			host, disk := used.Kinds[mem.Host], used.Kinds[mem.Disk]
			if host.Spilled < 12<<20 || host.Restored < 12<<20 || host.Peak > 4<<20 || host.Overbooked != 0 {
				t.Errorf("16 MiB in 4, and host is %+v", host)
			}
			// Room is reserved for what does not compress, and then given back: by four at a time.
			if small := disk.Peak < 8<<20; disk.Peak == 0 || small != (compress != "off") {
				t.Errorf("12 MiB on disk, compression %s, and disk is %+v", compress, disk)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
				t.Errorf("it leaves %v, %v", left, err)
			}
		})
	}
}

func TestAJobThatFindsNoMoreRoomOnDiskSaysWhatToTry(t *testing.T) {
	dir := t.TempDir()
	job := hoarding(t, "buffers: 16", "host: 4MiB, disk: 2MiB", dir)
	err := job.Run(t.Context(), plan.Env{})
	var failed *plan.RunError
	if !errors.As(err, &failed) || !errors.Is(err, mem.ErrNoMemory) {
		t.Fatalf("got %v", err)
	}
	const advice = ", the 2MiB of disk to spill to are used up, and everybody waits; this step lacked 1MiB; " +
		"try memory: {disk: 32MiB} in the job, or --memory-disk 32MiB, or memory: {host: 16MiB} in the job, or --memory-host 16MiB"
	if got := err.Error(); !strings.HasPrefix(got, `job.yaml:3:3: node "hog": mem: `) || !strings.HasSuffix(got, advice) {
		t.Errorf("got %s", got)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("it leaves %v, %v", left, err)
	}
}

func TestRunClosesTheMemoryItMade(t *testing.T) {
	const open = "/proc/self/fd"
	if _, err := os.Stat(open); err != nil {
		t.Skipf("open files are not listed here: %v", err)
	}
	dir := t.TempDir()
	if err := hoarding(t, "buffers: 16", "host: 4MiB", dir).Run(t.Context(), plan.Env{}); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(open)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if path, _ := os.Readlink(filepath.Join(open, f.Name())); strings.HasPrefix(path, dir) {
			t.Errorf("%s is still open", path)
		}
	}
}

func TestAJobWhoseNodeForgetsMemoryFails(t *testing.T) {
	err := hoarding(t, "buffers: 2, leaks: true", "host: 4MiB", t.TempDir()).Run(t.Context(), plan.Env{})
	var leak *mem.LeakError
	if !errors.As(err, &leak) {
		t.Fatalf("got %v", err)
	}
	var from []string
	for _, l := range leak.Leaks {
		from = append(from, l.Node)
	}
	if diff := cmp.Diff([]string{"hog"}, from); diff != "" {
		t.Error(diff)
	}
}
