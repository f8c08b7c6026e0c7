package main

import "time"

func now() time.Time { return time.Now() }

func sleepUntil(at time.Time) { time.Sleep(time.Until(at)) }
