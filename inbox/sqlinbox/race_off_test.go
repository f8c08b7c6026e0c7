//go:build !race

package sqlinbox_test

const raceDetector = false
