package extent_test

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/seed14ed4225/sluice/internal/extent"
)

// Every test of the package fails if a goroutine outlives it. The test binary is also the
// process that TestAKilledProcessLeavesNoFile kills.
func TestMain(m *testing.M) {
	if dir := os.Getenv(spillInto); dir != "" {
		spillForEver(dir)
	}
	goleak.VerifyTestMain(m)
}

// open opens a store, and closes it at the end of the test, which fails if an extent is left.
func open(t testing.TB, o extent.Options) *extent.Store {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	s, err := extent.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// write writes an extent that must succeed.
func write(t testing.TB, s *extent.Store, label string, parts ...[]byte) *extent.Extent {
	t.Helper()
	e, err := s.Write(context.Background(), label, parts...)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// fill makes bytes that no other seed makes, and that do not compress.
func fill(b []byte, seed uint64) {
	var from [32]byte
	binary.LittleEndian.PutUint64(from[:], seed)
	rand.NewChaCha8(from).Read(b)
}

// filled returns n bytes made by fill, at an address that no direct I/O would take.
func filled(n int, seed uint64) []byte {
	b := make([]byte, n+1)[1:]
	fill(b, seed)
	return b
}
