//go:build sluicedebug && !race

package mem_test

const raceDetector = false
