package table

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Whoever names a file packed and not means both.
func TestFilesNamedOneByOneMayBeOneTablePackedAndNot(t *testing.T) {
	dir := t.TempDir()
	plain, packed := filepath.Join(dir, "a.csv"), filepath.Join(dir, "a.csv.gz")
	for _, path := range []string{plain, packed} {
		if err := os.WriteFile(path, nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	got, err := expand([]string{plain, packed}, FormatCSV)
	if err != nil || !slices.Equal(got, []string{plain, packed}) {
		t.Errorf("%v, %v", got, err)
	}
}
