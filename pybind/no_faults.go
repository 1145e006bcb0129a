//go:build gopy_binding && !goasyncore_faults

package pybind

// mayPanic does nothing: see faults.go.
func mayPanic() {}
