//go:build !nocuda

package main

const builtWithoutCUDA = false
