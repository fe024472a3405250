package main

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
)

func TestErrorsNameTheCommandOnce(t *testing.T) {
	tests := []struct {
		err  error
		want string
	}{
		{sluice.ErrClosed, "sluice: channel closed\n"},
		{errors.New("no luck"), "sluice: no luck\n"},
		{errors.Join(sluice.ErrAborted, fmt.Errorf("late: %w", sluice.ErrClosed)),
			"sluice: aborted\nsluice: late: sluice: channel closed\n"},
		{&mem.LeakError{Resource: `network "n"`, Leaks: []mem.Leak{{Node: "scan", Used: mem.Of(mem.Host, 64)}}},
			"sluice: a mistake in sluice, not in the job; please report it: mem: network \"n\": never released: 64B host in buffers from node \"scan\"\n"},
	}
	for _, tt := range tests {
		var out bytes.Buffer
		if report(&out, tt.err); out.String() != tt.want {
			t.Errorf("got %q, want %q", &out, tt.want)
		}
	}
}
