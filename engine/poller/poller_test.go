package poller

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine/internal/descriptor"
)

func TestTimeoutsAreRoundedUp(t *testing.T) {
	for timeout, expected := range map[time.Duration]int{
		0:                          0,
		1:                          1,
		time.Millisecond:           1,
		time.Millisecond + 1:       2,
		-1:                         -1,
		-time.Hour:                 -1,
		math.MinInt64:              -1,
		math.MaxInt64:              math.MaxInt32,
		1000 * 24 * 60 * time.Hour: math.MaxInt32,
	} {
		assert.Equal(t, expected, millis(timeout), "%v", timeout)
	}
}

func TestTablesGrowWithTheNumbers(t *testing.T) {
	table := descriptor.Grown([]int(nil), 0)
	table[0] = 7
	for _, fd := range []int{63, 64, 1000, 100000, descriptor.Max - 1} {
		table = descriptor.Grown(table, fd)
		require.Greater(t, len(table), fd)
		assert.Less(t, len(table), fd+4097)
	}
	assert.Equal(t, 7, table[0])
	assert.Len(t, descriptor.Grown(table, 5), len(table))
}

// withMechanisms has Open choose from these.
func withMechanisms(t *testing.T, list ...mechanism) {
	before := mechanisms
	mechanisms = list
	t.Cleanup(func() { mechanisms = before })
}

func TestOpenTakesTheNextWhereASandboxForbidsTheBest(t *testing.T) {
	forbidden := func() (Poller, error) { return nil, unix.EPERM }
	withMechanisms(t, mechanism{"best", forbidden}, mechanism{"poll", openPoll})
	p, err := Open("")
	require.NoError(t, err)
	defer p.Close()
	assert.Equal(t, "poll", p.Name())
	_, err = Open("best")
	assert.ErrorIs(t, err, unix.EPERM)
}

func TestOpenSaysWhyNothingWorks(t *testing.T) {
	withMechanisms(t, mechanism{"only", func() (Poller, error) { return nil, unix.EMFILE }})
	_, err := Open("")
	assert.ErrorIs(t, err, unix.EMFILE)
	assert.False(t, errors.Is(err, ErrUnknown))
}

func TestMoreWakeUpsThanThePipeHolds(t *testing.T) {
	p, err := openPoll()
	require.NoError(t, err)
	defer p.Close()
	for range 70000 {
		require.NoError(t, p.Wake())
	}
	n, err := wait(p, nil, -1)
	require.NoError(t, err)
	assert.Zero(t, n)
	assert.True(t, p.Woken())
	assert.False(t, p.Woken())
}
