//go:build !sluicedebug

package cuda

const debugging = false

func here() string { return "" }
