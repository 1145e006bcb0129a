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
