//go:build sluicedebug

package sluice

const debugBuild = true
