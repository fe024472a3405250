package axpy_test

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"github.com/seed14ed4225/sluice/device/cuda/internal/cudac"
)

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	errIs(t, err, nil)
	return b
}

func TestThePTXIsWhatWasMadeOfTheSource(t *testing.T) {
	source, ptx := read(t, "axpy.cu"), read(t, "axpy.ptx")
	compiler, err := cudac.Check(ptx, source)
	errIs(t, err, nil)

	// The test itself: what else can be changed is noticed.
	for name, changed := range map[string][2][]byte{
		"source": {ptx, append(source[:len(source):len(source)], '\n')},
		"PTX":    {bytes.Replace(ptx, []byte("add.rn"), []byte("sub.rn"), 1), source},
		"flags":  {bytes.Replace(ptx, []byte("-O3"), []byte("-O2"), 1), source},
		"stamp":  {ptx[bytes.IndexByte(ptx, '\n')+1:][200:], source},
	} {
		if _, err := cudac.Check(changed[0], changed[1]); !errors.Is(err, cudac.ErrStale) {
			t.Errorf("another %s: error is %v, want %v", name, err, cudac.ErrStale)
		}
	}

	version, err := cudac.Version()
	if errors.Is(err, cudac.ErrNoCompiler) {
		t.Skip("the hashes are right; not compiled again: ", err)
	}
	errIs(t, err, nil)
	if version != compiler {
		t.Skipf("the hashes are right; not compiled again, because it was made by %s and here is %s", compiler, version)
	}
	again, err := cudac.Compile("axpy.cu")
	errIs(t, err, nil)
	if !bytes.Equal(again, ptx) {
		t.Error(cudac.ErrStale)
	}
}
