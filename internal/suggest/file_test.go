package suggest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestAMissingFileSuggestsItsNeighbour(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"types.parquet", "flights.parquet"} {
		if err := os.WriteFile(filepath.Join(folder, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(folder)
	tests := []struct{ path, want string }{
		{"typs.parquet", `no such file; did you mean "types.parquet"?`},
		{filepath.Join(folder, "flight.parquet"), `no such file; did you mean "flights.parquet"?`},
		{"weather.csv", "no such file"},
		{filepath.Join("nowhere", "types.parquet"), `no such file; there is no folder "nowhere"`},
	}
	for _, tt := range tests {
		_, err := os.Stat(tt.path)
		if got := File(tt.path, err); got.Error() != tt.want || !errors.Is(got, fs.ErrNotExist) {
			t.Errorf("%s: got %v, want %s", tt.path, got, tt.want)
		}
	}
}

func TestOtherTroubleWithAFileIsSaidPlainly(t *testing.T) {
	refused := &fs.PathError{Op: "open", Path: "x", Err: fs.ErrPermission}
	if got := File("x", refused); got != fs.ErrPermission {
		t.Errorf("got %v", got)
	}
	other := errors.New("other")
	if got := File("x", other); got != other {
		t.Errorf("got %v", got)
	}
}
