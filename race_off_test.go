//go:build !race

package sluice_test

const raceDetector = false
