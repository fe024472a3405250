//go:build sluicedebug

package cuda

import "runtime/debug"

// debugging says that this is the debug build.
const debugging = true

func here() string { return string(debug.Stack()) }
