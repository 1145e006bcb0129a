package selector

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goasyncore/goasyncore/engine/poller"
)

// busy is a Source without channels that needs passes until a given time, or until something has happened.
type busy struct {
	until time.Time
	ended func() bool
}

func (b *busy) Step([]poller.Ready, bool) ([]Change, bool) {
	return nil, time.Now().Before(b.until) && (b.ended == nil || !b.ended())
}

func (*busy) Interrupted() bool { return true }

func (*busy) Holds(int32, uint64) bool { return true }

func TestARunThatYieldsLetsOtherGoroutinesRun(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, yield := range []bool{false, true} {
		p, err := poller.Open("")
		require.NoError(t, err)
		s := New(p)
		var ran atomic.Bool
		go ran.Store(true)
		src := &busy{until: time.Now().Add(3 * yieldEvery)}
		if yield { // for as long as that takes
			src = &busy{until: time.Now().Add(time.Minute), ended: ran.Load}
		}
		require.NoError(t, s.Run(src, Options{Count: -1, Yield: yield}))
		assert.Equal(t, yield, s.yielded > 0)
		assert.True(t, ran.Load() || !yield)
		require.NoError(t, s.Close())
	}
}
