package monitor_test

import (
	"context"
	"fmt"
	"html"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/monitor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// workers is a network in which two workers share a channel and a third channel
// takes what both give.
func workers() *sluice.Network {
	idle := func(context.Context) error { return nil }
	n := sluice.NewNetwork("workers")
	raw := n.Channel("raw", sluice.Slots(4))
	done := n.Channel("done")
	rows := n.Channel("rows")
	n.Node("scan", idle, sluice.Writes(raw))
	n.Node("work_1", idle, sluice.Reads(raw), sluice.Writes(done))
	n.Node("work_2", idle, sluice.Reads(raw), sluice.Writes(done))
	n.Node("gather", idle, sluice.Reads(done), sluice.Writes(rows))
	n.Node("show", idle, sluice.Reads(rows))
	return n
}

func TestMermaidDrawsNodesAsBoxesAndChannelsAsArrows(t *testing.T) {
	want := `---
title: "workers"
---
flowchart LR
  n0["scan"]
  n1["work_1"]
  n2["work_2"]
  n3["gather"]
  n4["show"]
  c0(["raw (4 slots)"])
  n0 --> c0
  c0 --> n1
  c0 --> n2
  c1(["done"])
  n1 --> c1
  n2 --> c1
  c1 --> n3
  n3 -->|"rows"| n4
`
	if diff := cmp.Diff(want, monitor.Mermaid(workers().Snapshot())); diff != "" {
		t.Error(diff)
	}
}

func TestDOTDrawsTheSameGraph(t *testing.T) {
	want := `digraph "workers" {
  rankdir=LR
  node [shape=box]
  n0 [label="scan"]
  n1 [label="work_1"]
  n2 [label="work_2"]
  n3 [label="gather"]
  n4 [label="show"]
  c0 [label="raw (4 slots)" shape=box style=rounded]
  n0 -> c0
  c0 -> n1
  c0 -> n2
  c1 [label="done" shape=box style=rounded]
  n1 -> c1
  n2 -> c1
  c1 -> n3
  n3 -> n4 [label="rows"]
}
`
	if diff := cmp.Diff(want, monitor.DOT(workers().Snapshot())); diff != "" {
		t.Error(diff)
	}
}

func TestAGraphOfAnUnfinishedNetworkShowsLooseEnds(t *testing.T) {
	n := sluice.NewNetwork("")
	out := n.Channel("nobody reads")
	n.Node("source", func(context.Context) error { return nil }, sluice.Writes(out))
	got := monitor.Mermaid(n.Snapshot())
	want := "flowchart LR\n  n0[\"source\"]\n  c0([\"nobody reads\"])\n  n0 --> c0\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestNamesCannotBreakADrawing draws networks with names of any characters and
// reads the names back.
func TestNamesCannotBreakADrawing(t *testing.T) {
	dotLabel := regexp.MustCompile(`(?m)^  n\d+ \[label="((?:[^"\\\n]|\\.)*)"\]$`)
	mermaidLabel := regexp.MustCompile(`(?m)^  n\d+\["([^"\n]*)"\]$`)
	entity := regexp.MustCompile(`#(\w+);`)
	name := rapid.StringOfN(rapid.RuneFrom([]rune("ab\"\\#;&<>`[](){}|\n-é ")), 0, 12, -1)
	rapid.Check(t, func(t *rapid.T) {
		var s sluice.Snapshot
		s.Network = name.Draw(t, "network")
		var want []string
		for i := range rapid.IntRange(1, 4).Draw(t, "nodes") {
			n := strconv.Itoa(i) + name.Draw(t, "name")
			s.Nodes = append(s.Nodes, sluice.NodeSnapshot{Name: n})
			want = append(want, strings.Join(strings.FieldsFunc(n, func(r rune) bool { return r == '\n' }), " "))
		}
		var got []string
		for _, match := range dotLabel.FindAllStringSubmatch(monitor.DOT(s), -1) {
			got = append(got, strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(match[1]))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("DOT:\n%s", diff)
		}
		got = nil
		for _, match := range mermaidLabel.FindAllStringSubmatch(monitor.Mermaid(s), -1) {
			got = append(got, html.UnescapeString(entity.ReplaceAllStringFunc(match[1], func(e string) string {
				if n, err := strconv.Atoi(e[1 : len(e)-1]); err == nil {
					return fmt.Sprintf("&#%d;", n)
				}
				return "&" + e[1:]
			})))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("Mermaid:\n%s", diff)
		}
	})
}
