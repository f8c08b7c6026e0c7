package sheet

import (
	"maps"
	"slices"
)

// StoredNumber writes a number of a workbook in plain digits.
var StoredNumber = storedNumber

// NamesOfColumns are the names that are read besides a column's own, in the order of the
// alphabet.
func NamesOfColumns() map[string][]string {
	names := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(otherNames)) {
		names[otherNames[name]] = append(names[otherNames[name]], name)
	}
	return names
}
