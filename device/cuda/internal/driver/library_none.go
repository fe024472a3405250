//go:build !linux || !(amd64 || arm64) || nocuda

package driver

import (
	"fmt"
	"runtime"
)

var errLeftOut = fmt.Errorf("%w: it was left out of this program", ErrUnavailable)

// Load returns an error: this program was built without the binding.
func Load() (Driver, error) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		return nil, fmt.Errorf("%w: CUDA is bound on linux/amd64 and linux/arm64 only, this is %s/%s", errLeftOut, runtime.GOOS, runtime.GOARCH)
	}
	return nil, fmt.Errorf("%w: build without the tag nocuda", errLeftOut)
}
