//go:build !sluicedebug

package table

const debugBuild = false
