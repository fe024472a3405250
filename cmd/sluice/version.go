package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

type versionCommand struct{}

func (versionCommand) Run(std streams) error {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		build = &debug.BuildInfo{}
	}
	return show(std.out, describe(build))
}

// describe gives the module's version and, where the go command recorded it,
// the revision it was built from.
func describe(build *debug.BuildInfo) string {
	version := build.Main.Version
	if version == "" {
		version = "(unknown version)"
	}
	text := fmt.Sprintf("sluice %s\n", version)
	setting := make(map[string]string)
	for _, s := range build.Settings {
		setting[s.Key] = s.Value
	}
	if revision := setting["vcs.revision"]; revision != "" {
		text += "revision " + revision
		if at := setting["vcs.time"]; at != "" {
			text += " of " + at
		}
		if setting["vcs.modified"] == "true" {
			text += ", with changes"
		}
		text += "\n"
	}
	return text + fmt.Sprintf("%s %s/%s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
