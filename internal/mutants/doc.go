// Package mutants plants faults in the code and demands that a test sees each:
// proof that the tests which guard a promise would notice its loss. No file of
// the tree is touched; the go command lays the mutated copy over the original.
//
// The planted faults stand in the tests, under the build tag mutants, since each
// costs a build:
//
//	go test -tags mutants ./internal/mutants/...
package mutants
