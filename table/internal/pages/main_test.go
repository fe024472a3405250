package pages

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if checks := flag.Lookup("rapid.checks"); racing && checks.Value.String() == checks.DefValue {
		_ = checks.Value.Set("15")
	}
	goleak.VerifyTestMain(m)
}
