package plan_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed14ed4225/sluice/plan"
)

// FuzzParse reads any text as a job. Whatever it is, the answer is a job that
// can be made into a network, or errors that each have a place in the text.
func FuzzParse(f *testing.F) {
	examples, err := filepath.Glob("../examples/*.yaml")
	if err != nil || len(examples) == 0 {
		f.Fatalf("no examples to start from: %v", err)
	}
	for _, name := range examples {
		src, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src, "top", "[1, 2]")
	}
	f.Add([]byte(good), "files", "*.parquet")
	f.Add([]byte(good+"device: cuda:1\n"), "", "")
	f.Add([]byte(good+"memory: {device: 1GiB, pinned: 10%, host: unlimited, disk: 20GB, spill_dir: \"${temp_dir}/x\", compress: zstd}\n"), "", "")
	f.Add([]byte(bomb()), "p0", "{a: b}")
	f.Add([]byte(filtered("`tail number` <= -1e5")), "", "")
	f.Add([]byte(aggregated("mean(delay)")), "", "")
	f.Add([]byte("a: &a [*a]\n? [b]\n: !!str |\n  x\n<<: *a\n--- \n%TAG\n"), "a", "'")
	f.Fuzz(func(t *testing.T, src []byte, name, given string) {
		var params map[string]string
		if name != "" {
			params = map[string]string{name: given}
		}
		job, err := plan.Parse("job.yaml", src, params)
		if err == nil {
			if _, err := job.Network(plan.Env{}); err != nil {
				t.Fatalf("a job that is right makes no network: %v", err)
			}
			return
		}
		found := plan.JobErrors(err)
		if len(found) == 0 {
			t.Fatalf("not a JobError: %v", err)
		}
		lines := strings.Count(string(src), "\n") + strings.Count(string(src), "\r") + 1
		for _, e := range found {
			if e.Position.Line < 1 || e.Position.Column < 1 || e.Position.Line > lines+1 {
				t.Errorf("no such place in %d lines: %v", lines, e)
			}
			if e.Err.Error() == "" {
				t.Errorf("nothing said at %v", e.Position)
			}
		}
	})
}
