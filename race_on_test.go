//go:build race

package sluice_test

// raceDetector says that the tests run under the race detector, which keeps no more
// than 8128 goroutines apart.
const raceDetector = true
