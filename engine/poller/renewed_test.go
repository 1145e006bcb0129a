package poller

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine/internal/fdtest"
)

// A number alone does not tell whether its file is another one: Renewed does.
func TestRenewedRisesWhateverNumberTheSuccessorHas(t *testing.T) {
	losses := map[string]func(p InKernel) int{
		"the set":   func(p InKernel) int { return p.Descriptor() },
		"the waker": func(p InKernel) int { return p.WakeFD() },
	}
	for _, name := range Names() {
		for what, number := range losses {
			t.Run(name+", "+what, func(t *testing.T) {
				opened, err := Open(name)
				require.NoError(t, err)
				defer opened.Close()
				p, ok := opened.(InKernel)
				if !ok {
					t.Skip("it keeps nothing in the kernel")
				}
				a, b := fdtest.Pair(t)
				require.NoError(t, p.Add(a, Read))
				before := p.Renewed()
				require.NoError(t, p.Verify())
				assert.Equal(t, before, p.Renewed())
				require.NoError(t, unix.Close(number(p)))
				require.NoError(t, p.Verify())
				assert.Greater(t, p.Renewed(), before)
				fdtest.Feed(t, b)
				ready := make([]Ready, 2)
				n, err := wait(p, ready, -1)
				require.NoError(t, err)
				assert.Equal(t, []Ready{{int32(a), Read}}, ready[:n])
			})
		}
	}
}
