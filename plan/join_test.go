package plan

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14ed4225/sluice/table"
)

func TestSettingsOfAJoinSayWhatTheJobSays(t *testing.T) {
	job, err := Parse("job.yaml", []byte(`
nodes:
  l: {kind: scan, files: l.parquet, out: l}
  r: {kind: scan, files: r.parquet, out: r}
  first:
    kind: join
    in: [l, r]
    on: [a = b, c, "`+"`d e`"+` == f"]
    type: anti
    where: x > y
    suffix: _r
    workers: 3
    out: first
  r2: {kind: scan, files: r.parquet, out: r2}
  second: {kind: join, in: [first, r2], using: [a, "d e"], out: second}
  show: {kind: print, in: second}
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []table.Join{
		{
			Kind: table.AntiJoin, On: []table.JoinKey{{Left: "a", Right: "b"}, {Left: "c", Right: "c"}, {Left: "d e", Right: "f"}},
			Where: "x > y", Suffix: "_r", Workers: 3,
		},
		{
			Kind: table.InnerJoin, On: []table.JoinKey{{Left: "a", Right: "a"}, {Left: "d e", Right: "d e"}},
			Using: true, Suffix: "_right",
		},
	}
	got := []table.Join{job.nodes[2].step.(*joining).settings(), job.nodes[4].step.(*joining).settings()}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
