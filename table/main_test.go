package table

import (
	"context"
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/seed14ed4225/sluice/mem"
)

func TestMain(m *testing.M) {
	if raceDetector || debugBuild { // which take several times as long; -rapid.checks says otherwise
		if err := flag.Set("rapid.checks", "30"); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		for _, r := range []*mem.Resource{tight(), little(), ample()} {
			if err := r.Close(context.Background()); err != nil {
				fmt.Println(err)
				code = 1
			}
		}
		if left, err := os.ReadDir(spillDir()); err != nil || len(left) > 0 {
			fmt.Println("left in the spill directory:", left, err)
			code = 1
		}
		_ = os.RemoveAll(spillDir())
		os.Exit(code)
	}))
}

// Resources that tests of nodes share: one in which sorts of a few rows have to spill, one
// with room for the groups of a few rows, and one in which nothing has to spill.
var (
	tight  = sync.OnceValue(func() *mem.Resource { return makeResource(spillDir(), 48<<10) })
	little = sync.OnceValue(func() *mem.Resource { return makeResource(spillDir(), 512<<10) })
	ample  = sync.OnceValue(func() *mem.Resource { return makeResource(spillDir(), 64<<20) })

	spillDir = sync.OnceValue(func() string {
		dir, err := os.MkdirTemp("", "table-test")
		if err != nil {
			panic(err)
		}
		return dir
	})
)

func makeResource(dir string, host int64) *mem.Resource {
	var limits [mem.Kinds]mem.Limit
	limits[mem.Device], limits[mem.Pinned] = mem.Bytes(0), mem.Bytes(0)
	limits[mem.Host], limits[mem.Disk] = mem.Bytes(host), mem.Bytes(1<<30)
	r, err := mem.New(mem.Options{Limits: limits, SpillDir: dir})
	if err != nil {
		panic(err)
	}
	return r
}
