package tests_go

import (
	"testing"

	"github.com/goasyncore/goasyncore/engine"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sickly is a source whose Step panics while it is told to.
type sickly struct {
	ill   bool
	steps int
}

func (p *sickly) Step(ready []engine.Ready, collect bool) ([]engine.Change, bool) {
	p.steps++
	if p.ill {
		panic("a Step's")
	}
	return nil, true
}

func (p *sickly) Interrupted() bool { return true }

func (*sickly) Holds(int32, uint64) bool { return true }

func TestRunCanBeEnteredAgainAfterAPanic(t *testing.T) {
	for _, name := range engine.Pollers() {
		t.Run(name, func(t *testing.T) {
			poller, err := engine.Open(name)
			require.NoError(t, err)
			selector := engine.NewSelector(poller)
			defer func() { assert.NoError(t, selector.Close()) }()
			source := &sickly{ill: true}
			options := engine.Options{Count: 1}
			assert.PanicsWithValue(t, "a Step's", func() { _ = selector.Run(source, options) })
			source.ill = false
			require.NoError(t, selector.Run(source, options))
			assert.Equal(t, 3, source.steps)
		})
	}
}
