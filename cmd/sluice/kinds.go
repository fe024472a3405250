package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/plan"
)

type kindsCommand struct{}

func (c *kindsCommand) Run(std streams, has offer) error {
	var explained []string
	for _, kind := range has.kinds {
		explained = append(explained, explain(kind))
	}
	return show(std.out, strings.Join(explained, "\n"))
}

// explain lists the settings of a kind under what it is for and in which memory it works.
func explain(kind plan.Kind) string {
	settings := kind.Describe()
	if kind.Writes != plan.None {
		settings = slices.Insert(settings, 0, plan.Setting{Name: "out", Doc: "the " + channels(kind.Writes) + " it writes", Required: true})
	}
	if kind.Reads != plan.None {
		settings = slices.Insert(settings, 0, plan.Setting{Name: "in", Doc: "the " + channels(kind.Reads) + " it reads", Required: true})
	}
	width := 0
	for _, s := range settings {
		width = max(width, len(s.Name))
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s: %s (in %s memory)\n", kind.Name, kind.Summary, memories(kind.WorksIn()))
	for _, s := range settings {
		fmt.Fprintf(&text, "  %-*s  %s", width, s.Name, s.Doc)
		if s.Required {
			text.WriteString(" (required)")
		}
		if s.Default != "" {
			fmt.Fprintf(&text, " (default %s)", s.Default)
		}
		text.WriteString("\n")
	}
	return text.String()
}

func channels(ports plan.Ports) string {
	if ports.Most > 1 {
		return "channels"
	}
	return "channel"
}

// memories names kinds of memory: device or host.
func memories(kinds []mem.Kind) string {
	names := make([]string, len(kinds))
	for i, kind := range kinds {
		names[i] = kind.String()
	}
	return strings.Join(names, " or ")
}
