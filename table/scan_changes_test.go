package table

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
)

// scanWhile scans with one ticket, does something once the first chunk is there, and goes on with the
// rest. It returns how many rows came.
func scanWhile(t *testing.T, s Scan, do func() error) (rows int, err error) {
	t.Helper()
	s.Tickets = 1 // so that nothing is read while something is done
	net := sluice.NewNetwork("test")
	out := net.Channel("rows")
	net.Node(s.Node("scan", out))
	net.Node("sink", func(ctx context.Context) error {
		for m, err := range out.All(ctx) {
			if err != nil {
				return err
			}
			chunk, err := sluice.Peek[*Chunk](&m)
			if err != nil {
				return err
			}
			if rows == 0 {
				err = do()
			}
			rows += chunk.Rows()
			if m.Release(); err != nil {
				return err
			}
		}
		return nil
	}, sluice.Reads(out))
	return rows, net.Run(t.Context())
}

const changedMeanwhile = ": the file was changed while it was read"

func TestAFileThatIsCutShortWhileItIsReadIsAnError(t *testing.T) {
	path := equalGroups(t, 10)
	rows, err := scanWhile(t, Scan{Files: []string{path}}, func() error { return os.Truncate(path, 100) })
	if err == nil || !strings.Contains(err.Error(), path+changedMeanwhile) || rows != 1024 {
		t.Errorf("%d rows, %v", rows, err)
	}
}

// The bytes that are read are fine in themselves: it is not they that tell.
func TestAFileThatIsWrittenToWhileItIsReadIsAnError(t *testing.T) {
	path := equalGroups(t, 10)
	rows, err := scanWhile(t, Scan{Files: []string{path}}, func() error {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.WriteString("more")
		return errors.Join(err, f.Close())
	})
	if err == nil || !strings.Contains(err.Error(), path+changedMeanwhile) || rows != 1024 {
		t.Errorf("%d rows, %v", rows, err)
	}
}

func TestAFileThatIsDeletedOrReplacedWhileItIsReadIsReadToItsEnd(t *testing.T) {
	for name, do := range map[string]func(path string) error{
		"deleted":  os.Remove,
		"replaced": func(path string) error { return os.Rename(equalGroups(t, 3), path) },
	} {
		path := equalGroups(t, 10)
		rows, err := scanWhile(t, Scan{Files: []string{path}}, func() error { return do(path) })
		if err != nil || rows != 10*1024 {
			t.Errorf("%s: %d rows, %v; want all that there were", name, rows, err)
		}
	}
}

func TestAFileThatIsGoneWhenItsTurnComesIsAnError(t *testing.T) {
	first, second := equalGroups(t, 3), equalGroups(t, 3)
	rows, err := scanWhile(t, Scan{Files: []string{first, second}}, func() error { return os.Remove(second) })
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), second+": no such file") || rows > 3*1024 { // what waits when a network fails is released
		t.Errorf("%d rows, %v", rows, err)
	}
}

func TestAFileOfOtherColumnsWhenItsTurnComesIsAnError(t *testing.T) {
	retyped := filepath.Join(t.TempDir(), "retyped.parquet")
	schema := arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.BinaryTypes.String}}, nil)
	writeParquet(t, retyped, 10, batchOf(schema, []any{"a"}))
	for with, want := range map[string]string{
		breakage{name: "others"}.write(t, t.TempDir()): `unknown column "n"`,
		retyped: `column "n" has changed since the scan began`,
	} {
		first, second := equalGroups(t, 3), equalGroups(t, 3)
		_, err := scanWhile(t, Scan{Files: []string{first, second}}, func() error { return os.Rename(with, second) })
		if err == nil || !strings.Contains(err.Error(), second+": "+want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
