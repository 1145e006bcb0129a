package passes

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goasyncore/goasyncore/engine/poller"
	"github.com/goasyncore/goasyncore/engine/selector"
)

// sickly is a source whose Step panics while it is told to.
type sickly struct {
	ill   bool
	steps int
}

func (p *sickly) Step(ready []poller.Ready, collect bool) ([]selector.Change, bool) {
	p.steps++
	if p.ill {
		panic("a Step's")
	}
	return nil, true
}

func (p *sickly) Interrupted() bool { return true }

func (*sickly) Holds(int32, uint64) bool { return true }

func TestRunCanBeEnteredAgainAfterAPanic(t *testing.T) {
	for _, name := range poller.Names() {
		t.Run(name, func(t *testing.T) {
			p, err := poller.Open(name)
			require.NoError(t, err)
			s := selector.New(p)
			defer func() { assert.NoError(t, s.Close()) }()
			source := &sickly{ill: true}
			options := selector.Options{Count: 1}
			assert.PanicsWithValue(t, "a Step's", func() { _ = s.Run(source, options) })
			source.ill = false
			require.NoError(t, s.Run(source, options))
			assert.Equal(t, 3, source.steps)
		})
	}
}
