package main

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestVersionTellsWhatWasBuilt(t *testing.T) {
	goVersion := runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH + "\n"
	tests := []struct {
		about string
		build debug.BuildInfo
		want  string
	}{
		{"an installed release", debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}}, "sluice v1.2.3\n"},
		{"a checkout with changes", debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: "0a1b2c"}, {Key: "vcs.time", Value: "2026-01-02T03:04:05Z"}, {Key: "vcs.modified", Value: "true"},
		}}, "sluice (devel)\nrevision 0a1b2c of 2026-01-02T03:04:05Z, with changes\n"},
		{"nothing known", debug.BuildInfo{}, "sluice (unknown version)\n"},
	}
	for _, tt := range tests {
		if got := describe(&tt.build); got != tt.want+goVersion {
			t.Errorf("%s: got %q", tt.about, got)
		}
	}
}
