//go:build !race

package intram_test

const raceDetector = false
