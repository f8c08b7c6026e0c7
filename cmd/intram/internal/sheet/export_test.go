package sheet

import (
	"maps"
	"slices"
)

// ReplaceFile is Replace with another way to make a folder durable.
var ReplaceFile = replaceFile

// SyncFolder makes the names in a folder durable.
var SyncFolder = syncFolder

// StoredNumber writes a number of a workbook in plain digits.
var StoredNumber = storedNumber

// NamesOfColumns are the names that are read besides a column's own, in the order of the alphabet.
func NamesOfColumns() map[string][]string {
	names := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(otherNames)) {
		names[otherNames[name]] = append(names[otherNames[name]], name)
	}
	return names
}
