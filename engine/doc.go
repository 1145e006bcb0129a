// Package engine runs asyncore's loop.
package engine
