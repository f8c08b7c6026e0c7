//go:build race

package intram_test

const raceDetector = true
