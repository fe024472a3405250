//go:build !sluicedebug

package sluice

const debugBuild = false
