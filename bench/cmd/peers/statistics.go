package main

import "slices"

// median is the middle of the values, 0 when there are none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// column takes one figure of each round.
func column[T any](rounds []T, figure func(T) float64) []float64 {
	values := make([]float64, len(rounds))
	for i, r := range rounds {
		values[i] = figure(r)
	}
	return values
}

// ratio is the median of the ratios that a figure has to the base's in the same round.
func ratio[T any](rounds, base []T, figure func(T) float64) float64 {
	ratios := make([]float64, min(len(rounds), len(base)))
	for i := range ratios {
		ratios[i] = figure(rounds[i]) / figure(base[i])
	}
	return median(ratios)
}

// rotated is the order of a round: each starts with another one, so that none is always
// first.
func rotated[T any](items []T, round int) []T {
	at := round % len(items)
	return slices.Concat(items[at:], items[:at])
}
