package plan

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// probe is a kind that takes settings of every type.
type probe struct {
	Step
	Text  string          `job:"text"`
	Texts []string        `job:"texts"`
	Whole int             `job:"whole"`
	Part  float64         `job:"part"`
	Flag  bool            `job:"flag"`
	Named Mapping[string] `job:"named"`
}

// probed parses a job with one probe, whose settings are given one a line.
func probed(t *testing.T, params string, given map[string]string, settings ...string) *probe {
	t.Helper()
	kinds := Kinds{{Name: "probe", Settings: func() Step { return &probe{Text: "default", Whole: 7} }}}
	src := "params: {" + params + "}\nnodes:\n  p:\n    kind: probe\n    " + strings.Join(settings, "\n    ") + "\n"
	job, err := kinds.Parse("dir/job.yaml", []byte(src), given)
	if err != nil {
		t.Fatalf("%v\n%s", err, src)
	}
	return job.nodes[0].step.(*probe)
}

func TestSettingsKeepTheirTypes(t *testing.T) {
	p := probed(t, "", nil, "text: 2001", "texts: [a, 1, true]", "whole: 1_000", "part: 1.5e3", "flag: true", "named: {b: 2, a: x}")
	var names []string
	for _, n := range p.Named {
		names = append(names, n.Name.Value+"="+n.Value.Value)
	}
	if p.Text != "2001" || p.Whole != 1000 || p.Part != 1500 || !p.Flag ||
		!cmp.Equal(p.Texts, []string{"a", "1", "true"}) || !cmp.Equal(names, []string{"b=2", "a=x"}) {
		t.Errorf("got %+v", p)
	}
}

func TestASettingThatIsNotGivenKeepsItsDefault(t *testing.T) {
	if p := probed(t, "", nil, "flag: true", "whole:"); p.Text != "default" || p.Whole != 7 {
		t.Errorf("got %+v", p)
	}
}

func TestOneValueStandsForAListOfOne(t *testing.T) {
	if p := probed(t, "", nil, "texts: a"); !cmp.Equal(p.Texts, []string{"a"}) {
		t.Errorf("got %+v", p)
	}
}

func TestAParameterOnItsOwnKeepsItsType(t *testing.T) {
	p := probed(t, "n: 10, l: [a, b], f: 0.5, y: true, m: {k: v}", nil,
		"whole: ${n}", `texts: ${l}`, "part: ${f}", "flag: ${y}", "named: ${m}")
	if p.Whole != 10 || !cmp.Equal(p.Texts, []string{"a", "b"}) || p.Part != 0.5 || !p.Flag || p.Named[0].Value.Value != "v" {
		t.Errorf("got %+v", p)
	}
	if p := probed(t, "n: 10", nil, `whole: "${n}"`); p.Whole != 10 {
		t.Errorf("quotes, which [ ] and { } need, changed the type: %+v", p)
	}
}

func TestAParameterInATextIsText(t *testing.T) {
	p := probed(t, "n: 010, s: 'a, b', y: True, g:", map[string]string{"g": "~"}, "text: <${n}|${s}|${y}|${g}>")
	if p.Text != "<010|a, b|True|~>" {
		t.Errorf("got %q", p.Text)
	}
}

func TestGivenParametersWinOverDefaults(t *testing.T) {
	given := map[string]string{"n": "3", "l": "[x, 'y z']", "s": "a: [b] # c"}
	p := probed(t, "n: 10, l: [a], s: ''", given, "whole: ${n}", "texts: ${l}", "text: ${s}")
	if p.Whole != 3 || !cmp.Equal(p.Texts, []string{"x", "y z"}) || p.Text != "a: [b] # c" {
		t.Errorf("got %+v", p)
	}
}

func TestAGivenParameterIsPutIntoATextAsItStands(t *testing.T) {
	given := map[string]string{"s": `[x, "y"]`}
	if p := probed(t, "s: ''", given, "text: <${s}>"); p.Text != `<[x, "y"]>` {
		t.Errorf("got %q", p.Text)
	}
}

func TestAGivenParameterIsNeverMoreThanAValue(t *testing.T) {
	given := map[string]string{"s": "x\n    whole: 99\n  q: {kind: probe}", "u": "${s} $${s}"}
	p := probed(t, "s: '', u: ''", given, "text: ${s}", "texts: ['${u}', '<${u}>']")
	if p.Text != given["s"] || p.Whole != 7 || !cmp.Equal(p.Texts, []string{"${s} $${s}", "<${s} $${s}>"}) {
		t.Errorf("got %+v", p)
	}
}

func TestAnEmptyGivenParameterIsAnEmptyText(t *testing.T) {
	if p := probed(t, "s: x", map[string]string{"s": ""}, "text: ${s}"); p.Text != "" {
		t.Errorf("got %q", p.Text)
	}
}

func TestGlobsNeedNoQuotesOnTheCommandLine(t *testing.T) {
	given := map[string]string{"files": "*.parquet"}
	if p := probed(t, "files:", given, "texts: ${files}"); !cmp.Equal(p.Texts, []string{"*.parquet"}) {
		t.Errorf("got %q", p.Texts)
	}
}

func TestParametersMayUseParameters(t *testing.T) {
	p := probed(t, "'a': '${b}/a', b: '${job_dir}/b', c: '${d}', d: 5", map[string]string{"d": "6"}, "text: ${a}", "whole: ${c}")
	if p.Text != "dir/b/a" || p.Whole != 6 {
		t.Errorf("got %+v", p)
	}
}

func TestADollarEscapesAParameter(t *testing.T) {
	p := probed(t, "a: 1", nil, "text: $${a} $${ $ $5 ${a}", "texts: $${b}")
	if p.Text != "${a} ${ $ $5 1" || p.Texts[0] != "${b}" {
		t.Errorf("got %q and %q", p.Text, p.Texts)
	}
}

func TestNumbersWithALeadingZeroAreText(t *testing.T) {
	for s, want := range map[string]shape{
		"0": integer, "-0": integer, "10": integer, "+5": integer, "0x1F": integer, "0o17": integer, "1_000": integer,
		"007": text, "1__0": text, "_1": text, "1.": decimal, ".5": decimal, "1e5": decimal, "0.5": decimal, ".": text,
		"1.2.3": text, "64MiB": text, "yes": text, "True": boolean, "~": nothing, "null": nothing, "": nothing, "2001-01-01": text,
	} {
		if got := plain(s).shape; got != want {
			t.Errorf("%q is %d, want %d", s, got, want)
		}
	}
}
