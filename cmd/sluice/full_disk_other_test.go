//go:build !linux

package main

// onSmallDisk is for Linux, where a process can have file systems of its own.
func onSmallDisk() {}
