//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Table: a hash table by descriptor number.

package descriptor

import (
	"iter"
	"math/bits"
)

// Table has an entry for each of some descriptors. Its memory depends on how many they are, not on their numbers. It is
// a hash table with open addressing; the slots behind one that is dropped move up. The zero Table is empty.
type Table[E any] struct {
	slots []tableSlot[E] // a power of two of them, a third free
	count int
	shift uint8 // of the hash, whose upper bits are the slot
}

type tableSlot[E any] struct {
	fd    int32
	used  bool
	entry E
}

const smallestTable = 4

// Len returns how many entries there are.
func (t *Table[E]) Len() int { return t.count }

// At returns fd's entry, nil if it has none. The pointer is valid until the next Made or Drop.
func (t *Table[E]) At(fd int32) *E {
	if t.count == 0 {
		return nil
	}
	if s := t.slot(fd); s.used {
		return &s.entry
	}
	return nil
}

// Made returns fd's entry, and makes a zero one if it has none.
func (t *Table[E]) Made(fd int32) *E {
	if e := t.At(fd); e != nil {
		return e
	}
	if (t.count+1)*3 > len(t.slots)*2 {
		t.resize(max(smallestTable, 2*len(t.slots)))
	}
	t.count++
	s := t.slot(fd)
	s.fd, s.used = fd, true
	return &s.entry
}

// Drop removes fd's entry, if it has one.
func (t *Table[E]) Drop(fd int32) {
	if t.At(fd) == nil {
		return
	}
	t.count--
	mask := len(t.slots) - 1
	hole := t.home(fd)
	for t.slots[hole].fd != fd {
		hole = (hole + 1) & mask
	}
	for i := (hole + 1) & mask; t.slots[i].used; i = (i + 1) & mask {
		if (i-t.home(t.slots[i].fd))&mask >= (i-hole)&mask { // its home is not behind the hole
			t.slots[hole] = t.slots[i]
			hole = i
		}
	}
	t.slots[hole] = tableSlot[E]{}
	if len(t.slots) > smallestTable && t.count*8 < len(t.slots) {
		t.resize(len(t.slots) / 2)
	}
}

// All returns the descriptors and their entries, in no order. No entry may be made or dropped meanwhile.
func (t *Table[E]) All() iter.Seq2[int32, *E] {
	return func(yield func(int32, *E) bool) {
		for i := range t.slots {
			if s := &t.slots[i]; s.used && !yield(s.fd, &s.entry) {
				return
			}
		}
	}
}

func (t *Table[E]) home(fd int32) int {
	return int(uint32(fd) * 0x9E3779B9 >> t.shift) // spreads numbers in regular distances too
}

// slot returns the slot that fd has, or would get.
func (t *Table[E]) slot(fd int32) *tableSlot[E] {
	mask := len(t.slots) - 1
	for i := t.home(fd); ; i = (i + 1) & mask {
		if s := &t.slots[i]; s.fd == fd || !s.used {
			return s
		}
	}
}

func (t *Table[E]) resize(size int) {
	before := t.slots
	t.slots = make([]tableSlot[E], size)
	t.shift = uint8(32 - bits.Len(uint(size-1)))
	for i := range before {
		if before[i].used {
			*t.slot(before[i].fd) = before[i]
		}
	}
}
