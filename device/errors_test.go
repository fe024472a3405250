package device_test

import (
	"testing"

	"github.com/seed14ed4225/sluice/device"
)

func TestALeakIsCountedInWords(t *testing.T) {
	for want, e := range map[string]device.LeakError{
		`device "d" was closed before a block of 16 bytes was freed`:                   {Device: "d", Blocks: 1, Bytes: 16},
		`device "d" was closed before 2 blocks of 20 bytes together were freed`:        {Device: "d", Blocks: 2, Bytes: 20},
		"device \"d\" was closed before a block of 9 bytes was freed\nallocated at\nx": {Device: "d", Blocks: 1, Bytes: 9, Where: []string{"x"}},
	} {
		if got := e.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
