package plan

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed14ed4225/sluice/internal/suggest"
	"github.com/seed14ed4225/sluice/table"
)

// jobsPage is the reference of kinds and settings.
const jobsPage = "../docs/jobs.md"

func readPage(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// sectionsOf cuts a page at headings of a level, such as "\n### ", and returns what is under each.
func sectionsOf(page, heading string) (names []string, texts map[string]string) {
	texts = make(map[string]string)
	for i, part := range strings.Split(page, heading) {
		if i == 0 {
			continue
		}
		name, text, _ := strings.Cut(part, "\n")
		names = append(names, name)
		texts[name], _, _ = strings.Cut(text, "\n## ")
	}
	return names, texts
}

// A documented setting is a row of a table in the page.
type documented struct{ name, meaning, standard string }

var settingRow = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (.+) \\| (.+) \\|$")

func settingsIn(text string) (found []documented) {
	for _, row := range settingRow.FindAllStringSubmatch(text, -1) {
		found = append(found, documented{row[1], row[2], row[3]})
	}
	return found
}

func (d documented) required() bool { return strings.HasPrefix(d.standard, "required") }

// value is the default if the page gives it as one would write it.
func (d documented) value() string {
	code, isCode := strings.CutPrefix(d.standard, "`")
	if !isCode {
		return ""
	}
	code, _, _ = strings.Cut(code, "`")
	return code
}

// compareSettings holds settings of a page against those that there are. Where a struct has a default,
// the page has to have it; where the page has one, either the struct has it or what sluice kinds says.
func compareSettings(t *testing.T, of, text string, settings any) {
	t.Helper()
	page := settingsIn(text)
	var have, want []string
	for _, d := range page {
		have = append(have, d.name)
	}
	for _, f := range fieldsOf(settings) {
		want = append(want, f.name)
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("the settings of %s that there are and those in the page: %s", of, diff)
		return
	}
	for i, f := range fieldsOf(settings) {
		d := page[i]
		given := d.value()
		switch {
		case d.required() != f.required:
			t.Errorf("%s: %s: required is %v", of, f.name, f.required)
		case !f.into.IsZero():
			if got := defaultOf(f); got != given {
				t.Errorf("%s: %s: the default is %s, and not %q", of, f.name, got, given)
			}
		case f.into.Kind() == reflect.Bool:
			if given != "false" {
				t.Errorf("%s: %s: the default is false, and not %q", of, f.name, d.standard)
			}
		case given != "" && f.doc != "" && !mentions(f.doc, given):
			t.Errorf("%s: %s: the page has the default %q, and the setting says %q", of, f.name, given, f.doc)
		}
	}
}

func defaultOf(f field) string {
	switch v := f.into.Interface().(type) {
	case bool:
		if v {
			return "true"
		}
		return "false"
	case joinType:
		return string(v)
	default:
		return f.into.String()
	}
}

func mentions(doc, word string) bool {
	return regexp.MustCompile(`(^|\W)` + regexp.QuoteMeta(word) + `($|\W)`).MatchString(doc)
}

func TestEveryKindAndEverySettingIsInTheReferenceAndTheOtherWayRound(t *testing.T) {
	_, chapters := sectionsOf(readPage(t, jobsPage), "\n## ")
	names, texts := sectionsOf("\n"+chapters["Kinds"], "\n### ")
	if diff := cmp.Diff(Builtin().names(), names); diff != "" {
		t.Fatalf("the kinds that there are and those in the page: %s", diff)
	}
	for _, kind := range Builtin() {
		text := texts[kind.Name]
		if ports := "Reads " + kind.Reads.String() + ", writes " + kind.Writes.String() + "."; !strings.Contains(text, ports) {
			t.Errorf("%s: the page does not say %q", kind.Name, ports)
		}
		for _, about := range []string{"order", "nulls", "memory", "errors"} {
			if !strings.Contains(strings.ToLower(text), "**"+about+"**") {
				t.Errorf("%s: the page says nothing of %s", kind.Name, about)
			}
		}
		compareSettings(t, kind.Name, text, kind.Settings())
	}
	for _, f := range functions {
		if !strings.Contains(texts["aggregate"], "`"+f+"`") {
			t.Errorf("aggregate: the page does not have the function %s", f)
		}
	}
	for _, typ := range joinTypes {
		if !strings.Contains(texts["join"], "`"+typ+"`") {
			t.Errorf("join: the page does not have the type %s", typ)
		}
	}
}

func TestEverySectionOfAJobIsInTheReferenceAndTheOtherWayRound(t *testing.T) {
	_, chapters := sectionsOf(readPage(t, jobsPage), "\n## ")
	sections := chapters["Sections"]
	root, _, _ := strings.Cut(sections, "\n### ")
	var names []string
	for _, d := range settingsIn(root) {
		names = append(names, d.name)
	}
	// What there is, an error about what there is not says.
	_, err := Parse("job.yaml", []byte("zzzzzzzz: 1\n"), nil)
	if want := `unknown key "zzzzzzzz"; have ` + strings.Join(names, ", "); err == nil || !strings.Contains(err.Error(), want+"\n") {
		t.Errorf("the page has %s, and an error says: %v", suggest.List(names), err)
	}
	_, texts := sectionsOf(sections, "\n### ")
	compareSettings(t, "memory", texts["The section memory"], &memorySettings{})
	compareSettings(t, "channels", texts["The section channels"], &channelSettings{})
}

var block = regexp.MustCompile("(?ms)^```(yaml|text)\n(.*?)^```$")

// blocksIn returns the blocks of a page that are in a language.
func blocksIn(page, language string) (found []string) {
	for _, b := range block.FindAllStringSubmatch(page, -1) {
		if b[1] == language {
			found = append(found, b[2])
		}
	}
	return found
}

// besideTheSample goes to a folder with the files that jobs in the documentation read.
func besideTheSample(t *testing.T) {
	t.Helper()
	sample, err := filepath.Abs("../examples/data/flights-200k.parquet")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	if err := os.Symlink(sample, "flights.parquet"); err != nil {
		t.Skipf("no links here: %v", err)
	}
}

// TestEveryJobInTheDocumentationIsRight checks each against the columns of the sample. What is only a
// part of a job, without nodes, is given some.
func TestEveryJobInTheDocumentationIsRight(t *testing.T) {
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	texts := make(map[string]string)
	for _, page := range append(pages, "../README.md") {
		texts[filepath.Base(page)] = readPage(t, page)
	}
	besideTheSample(t)
	jobs := 0
	for page, text := range texts {
		for _, src := range blocksIn(text, "yaml") {
			if !slices.ContainsFunc(strings.Split(src, "\n"), func(line string) bool { return line == "nodes:" }) {
				src += "nodes:\n  scan: {kind: scan, files: flights.parquet, out: flights}\n  show: {kind: print, in: flights}\n"
			}
			job, err := Parse("job.yaml", []byte(src), nil)
			if err == nil {
				err = job.Check()
			}
			if err != nil {
				t.Errorf("%s: %v\nin\n%s", page, err, src)
			}
			jobs++
		}
	}
	if jobs < 3 {
		t.Errorf("only %d jobs", jobs)
	}
}

func TestTheJobInTheReferencePrintsWhatItSays(t *testing.T) {
	page := readPage(t, jobsPage)
	src, want := blocksIn(page, "yaml")[0], blocksIn(page, "text")[0]
	besideTheSample(t)
	job, err := Parse("job.yaml", []byte(src), nil)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := job.Run(t.Context(), Env{Stdout: &out, Format: table.FormatTable}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}
