//go:build linux

package selector

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLongWaitBeginsShortWhileOtherRunsAreUnderWay(t *testing.T) {
	for _, c := range []struct {
		others int32
		short  bool
		waits  int
	}{{0, true, 1}, {1, true, 2}, {1, false, 1}} {
		p, s := faultyAndSelector(t)
		runs.Add(c.others)
		began := time.Now()
		err := s.Run(&busy{until: began.Add(time.Hour)}, Options{Timeout: 30 * time.Millisecond, Count: 1, BeginShort: c.short})
		runs.Add(-c.others)
		require.NoError(t, err)
		assert.GreaterOrEqual(t, time.Since(began), 30*time.Millisecond)
		assert.Equal(t, c.waits, p.waits, "%+v", c)
	}
}

func TestRunsUnderWayShareTheChecksOfDescriptors(t *testing.T) {
	for _, c := range []struct {
		others int32
		passes time.Duration // for so long, unless there is a second check
		second bool
	}{{0, time.Minute, true}, {9999, 20 * verifyEvery, false}} {
		p, s := faultyAndSelector(t)
		source := &busy{until: time.Now().Add(c.passes), ended: func() bool { return p.checks > 1 }}
		runs.Add(c.others)
		err := s.Run(source, Options{Count: -1})
		runs.Add(-c.others)
		require.NoError(t, err)
		assert.Equal(t, c.second, p.checks > 1)
	}
}
