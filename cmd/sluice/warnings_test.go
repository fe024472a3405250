package main

import (
	"log/slog"
	"strings"
	"testing"
)

func TestAReportOfSeveralLinesIsPrintedAsSuch(t *testing.T) {
	var out strings.Builder
	log := slog.New(warnings{&out})
	log.Info("nobody asked")
	log.Warn("network \"n\" has not moved\n  a  waits\n", "network", "n")
	if want := "warning: network \"n\" has not moved\n  a  waits\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}
