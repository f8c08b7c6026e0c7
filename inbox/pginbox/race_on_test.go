//go:build race

package pginbox_test

const raceDetector = true
