package selector

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goasyncore/goasyncore/engine/poller"
)

// script is a Source that hands out changes, one Step after the other, and keeps the last ready.
type script struct {
	changes [][]Change
	steps   int
	last    []poller.Ready
	more    func(s *script) bool // nil: always
}

func (s *script) Step(ready []poller.Ready, _ bool) (changes []Change, more bool) {
	s.last = append(s.last[:0], ready...)
	if s.steps < len(s.changes) {
		changes = s.changes[s.steps]
	}
	s.steps++
	return changes, s.more == nil || s.more(s)
}

func (s *script) Interrupted() bool { return true }

func (s *script) Holds(int32, uint64) bool { return true }

// told is what one pass tells.
func told(t *testing.T, s *Selector, o Options, changes ...Change) []poller.Ready {
	src := &script{changes: [][]Change{changes}}
	o.Count = 1
	require.NoError(t, s.Run(src, o))
	return src.last
}
