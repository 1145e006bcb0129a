package selector

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"

	"github.com/goasyncore/goasyncore/engine/poller"
)

// C has these structs as well.
func TestLayoutIsTheOneThatCHas(t *testing.T) {
	assert.EqualValues(t, 8, unsafe.Sizeof(poller.Ready{}))
	assert.EqualValues(t, 4, unsafe.Offsetof(poller.Ready{}.Events))
	assert.EqualValues(t, 16, unsafe.Sizeof(Change{}))
	assert.EqualValues(t, 4, unsafe.Offsetof(Change{}.Want))
	assert.EqualValues(t, 8, unsafe.Offsetof(Change{}.Order))
}

func TestWhatADescriptorCosts(t *testing.T) {
	assert.LessOrEqual(t, unsafe.Sizeof(entry{}), uintptr(16))
}
