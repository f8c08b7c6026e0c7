//go:build !race

package redisinbox_test

const raceDetector = false
