//go:build gopy_binding && !goasyncore_faults

// The same in other builds, which have none.

package pybind

// mayPanic does nothing: see faults.go.
func mayPanic() {}
