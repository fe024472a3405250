package table

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed14ed4225/sluice/internal/suggest"
)

// parquetSuffix is how the files of a directory are told from what else is in it.
const parquetSuffix = ".parquet"

// expand turns paths, patterns and directories into the paths of files, sorted
// within each and in the order given. A file is there once, though several of the
// names stand for it; the same name twice is a mistake.
func expand(names []string, format Format) ([]string, error) {
	if len(names) == 0 {
		return nil, errors.New("no files to scan; name a Parquet file, a directory or a pattern like data/*.parquet")
	}
	var paths []string
	seen := make(map[string]bool)
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return nil, fmt.Errorf("%s is named twice", name)
		}
		found, err := expandOne(name, format)
		if err != nil {
			return nil, err
		}
		for _, path := range found {
			if clean := filepath.Clean(path); !seen[clean] {
				seen[clean] = true
				paths = append(paths, path)
			}
		}
	}
	return paths, nil
}

func expandOne(name string, format Format) ([]string, error) {
	if name == "" {
		return nil, errors.New("the name of a file is empty")
	}
	if name == StandardStream {
		return []string{name}, nil
	}
	info, err := os.Stat(name)
	switch {
	case err == nil && info.IsDir():
		return directory(name, format)
	case err == nil:
		return []string{name}, nil // also a file whose name looks like a pattern
	case !errors.Is(err, fs.ErrNotExist) || !strings.ContainsAny(name, "*?["):
		return nil, fmt.Errorf("%s: %w", name, suggest.File(name, err))
	}
	found, err := filepath.Glob(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s: no file matches", name)
	}
	slices.Sort(found)
	if err := packedTwice(name, found); err != nil {
		return nil, err
	}
	return found, nil
}

// packedTwice is an error if what a pattern or a directory stands for has a file both packed and not, or
// packed in two ways: that is one table, left behind by whoever packed it, and its rows would count twice.
// Who means both names both.
func packedTwice(name string, found []string) error {
	first := make(map[string]string, len(found))
	for _, path := range found {
		plain := path
		for _, packed := range []string{".gz", ".zst"} {
			plain = strings.TrimSuffix(plain, packed)
		}
		if before, twice := first[plain]; twice {
			return fmt.Errorf("%s: %s and %s look like one table, packed and not, whose rows would come twice; take one away, or, if both are meant, name the files one by one",
				name, filepath.Base(before), filepath.Base(path))
		}
		first[plain] = path
	}
	return nil
}

// insteadOf says what a directory has in place of files of a format, and how that is read.
func insteadOf(format Format, name, suffix string, entries []fs.DirEntry) string {
	other, suffixes := FormatCSV, csvSuffixes
	if format == FormatCSV {
		other, suffixes = FormatParquet, []string{parquetSuffix}
	}
	folders := 0
	for _, e := range entries {
		switch {
		case e.IsDir():
			folders++
		case hasSuffix(e.Name(), suffixes):
			return fmt.Sprintf("; there is %s, which is read with format: %s", e.Name(), other)
		}
	}
	if folders > 0 {
		return fmt.Sprintf("; those of folders in it are read with a pattern, such as %s", filepath.Join(name, "*", "*"+suffix))
	}
	return ""
}

func directory(name string, format Format) ([]string, error) {
	entries, err := os.ReadDir(name) // sorted
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, suggest.File(name, err))
	}
	var found []string
	suffixes := []string{parquetSuffix}
	if format == FormatCSV {
		suffixes = csvSuffixes
	}
	for _, e := range entries {
		if !e.IsDir() && hasSuffix(e.Name(), suffixes) {
			found = append(found, filepath.Join(name, e.Name()))
		}
	}
	if err := packedTwice(name, found); err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s: no *%s files in this directory%s", name, suffixes[0], insteadOf(format, name, suffixes[0], entries))
	}
	return found, nil
}
