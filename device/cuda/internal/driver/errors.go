package driver

import (
	"errors"
	"fmt"
)

// MinVersion is the oldest CUDA version a driver may be of: 12.0, which came with
// version 525 of the driver for Linux. What is bound is bound as of this version.
const MinVersion = 12000

// ErrUnavailable is wrapped by every error of [Load].
var ErrUnavailable = errors.New("no CUDA driver to work with")

// A SymbolError says that the library lacks a function.
type SymbolError struct {
	Library, Symbol string
}

func (e *SymbolError) Error() string {
	return fmt.Sprintf("%v: %s has no %s: it is too old or not the driver's; install NVIDIA's driver 525 or later", ErrUnavailable, e.Library, e.Symbol)
}

func (e *SymbolError) Unwrap() error { return ErrUnavailable }
