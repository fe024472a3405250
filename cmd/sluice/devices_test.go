package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/seed14ed4225/sluice/device/cuda"
)

func TestADeviceThatCannotBeOpenedIsListedWithTheReason(t *testing.T) {
	gpus := simulate(2)
	infos, err := gpus.Devices()
	if err != nil {
		t.Fatal(err)
	}
	gpus.Fail("cuDevicePrimaryCtxRetain", 1, 46) // somebody has the device for himself
	list, err := listDevices(listed{gpus, infos, nil})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"cuda:0  Simulated GPU  1GiB  unknown  9.0  CUDA 12.4  0000:01:00.0  GPU-51000000-0000-0000-0000-000000000000",
		"cuda:1  Simulated GPU  1GiB  1GiB  9.0  CUDA 12.4  0000:02:00.0  GPU-51000000-0000-0000-0000-000000000001",
	}
	if says := "cuda:0 cannot be used: opening CUDA device 0: cuDevicePrimaryCtxRetain: "; !strings.HasPrefix(list.notes, says) || strings.Count(list.notes, "\n") != 1 {
		t.Errorf("the notes are %q, want a line that says %q", list.notes, says)
	}
	lines := strings.Split(list.table, "\n")
	for i, line := range lines[min(2, len(lines)):] {
		if i < len(want) && !strings.HasPrefix(squeeze(line), squeeze(want[i])) {
			t.Errorf("got %s\nwant %s", line, want[i])
		}
	}
	if len(lines) != 5 {
		t.Errorf("%d lines:\n%s", len(lines), list.table)
	}
	if err := gpus.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestADriverThatFailsIsAnErrorAndTheHostIsListed(t *testing.T) {
	broken := errors.New("out of order")
	list, err := listDevices(listed{err: broken})
	if !errors.Is(err, broken) || !strings.Contains(list.table, "\nhost ") || list.notes != "" {
		t.Errorf("got %v and\n%s%s", err, list.table, list.notes)
	}
}

// squeeze leaves one space where there are several.
func squeeze(line string) string { return strings.Join(strings.Fields(line), " ") }

// listed are devices whose list is known.
type listed struct {
	simulated
	infos []cuda.Info
	err   error
}

func (l listed) Devices() ([]cuda.Info, error) { return l.infos, l.err }
