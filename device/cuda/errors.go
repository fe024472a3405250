package cuda

import (
	"errors"
	"fmt"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda/internal/driver"
)

var (
	// ErrUnavailable is wrapped by errors that say that there is no CUDA driver to work
	// with: its library is missing, too old or lacks a function, or the program was
	// built without. The message says what to do.
	ErrUnavailable = driver.ErrUnavailable

	// ErrNoDevice is wrapped by errors that say that the driver has no device, or none
	// of the number that was asked for.
	ErrNoDevice = errors.New("no such CUDA device")
)

// An Error is a call of the driver that went wrong.
type Error struct {
	Call string // such as "cuMemcpyHtoDAsync"
	Code int    // CUDA's number for it
	Name string // CUDA's name, such as "CUDA_ERROR_ILLEGAL_ADDRESS"
	Text string // what CUDA says about it
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s (%d): %s", e.Call, e.Name, e.Code, e.Text)
}

// newError returns what a call that did not succeed says.
func newError(drv driver.Driver, call string, r driver.Result) *Error {
	e := &Error{Call: call, Code: int(r), Name: drv.GetErrorName(r), Text: drv.GetErrorString(r)}
	if e.Name == "" {
		e.Name = "an error the driver has no name for"
	}
	if e.Text == "" {
		e.Text = "the driver says no more"
	}
	return e
}

// closedError says which device or stream is closed.
type closedError struct{ what string }

func (e *closedError) Error() string { return e.what + " is closed" }

func (e *closedError) Is(target error) bool { return target == device.ErrClosed }
