//go:build race

package plan_test

// raceDetector says that the tests run under the race detector, which makes printing
// millions of rows a matter of minutes.
const raceDetector = true
