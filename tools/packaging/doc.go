// Package packaging pins the programs that build the packages of the intram command, by
// the tool lines of its go.mod. It has no code: with a package, vet and the linters treat
// its module as any other.
package packaging
