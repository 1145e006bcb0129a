package descriptor

import (
	"math"
	"math/rand"
	"testing"
)

// Held against Go's own map, with numbers of every kind.
func TestTableIsAMap(t *testing.T) {
	kinds := map[string]func(r *rand.Rand) int32{
		"dense":     func(r *rand.Rand) int32 { return r.Int31n(200) },
		"apart":     func(r *rand.Rand) int32 { return 1024 * r.Int31n(300) },
		"anything":  func(r *rand.Rand) int32 { return int32(r.Uint32()) },
		"few":       func(r *rand.Rand) int32 { return 19_000 + r.Int31n(3) },
		"outermost": func(r *rand.Rand) int32 { return []int32{0, -1, math.MaxInt32, math.MinInt32}[r.Intn(4)] },
	}
	for name, number := range kinds {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewSource(1))
			var have Table[int]
			want := map[int32]int{}
			for step := 1; step <= 20_000; step++ {
				fd := number(r)
				if r.Intn(1000) == 0 {
					for fd := range want {
						have.Drop(fd)
					}
					clear(want)
				}
				switch r.Intn(3) {
				case 0:
					have.Drop(fd)
					delete(want, fd)
				default:
					e := have.Made(fd)
					if *e != want[fd] {
						t.Fatalf("step %d: %d has %d, not %d", step, fd, *e, want[fd])
					}
					*e, want[fd] = step, step
				}
				if other := number(r); (have.At(other) != nil) != (want[other] != 0) {
					t.Fatalf("step %d: %d is %v", step, other, have.At(other))
				}
			}
			found := map[int32]int{}
			for fd, e := range have.All() {
				found[fd] = *e
			}
			if len(found) != len(want) || have.count != len(want) {
				t.Fatalf("%d entries, counted as %d, not %d", len(found), have.count, len(want))
			}
			for fd, e := range want {
				if found[fd] != e {
					t.Errorf("%d has %d, not %d", fd, found[fd], e)
				}
			}
		})
	}
}

func TestTableGoesByHowManyThereAre(t *testing.T) {
	var have Table[int]
	for fd := int32(0); fd < 10_000; fd++ {
		have.Made(fd)
	}
	if most := 3 * 10_000; len(have.slots) > most {
		t.Errorf("%d slots, more than %d", len(have.slots), most)
	}
	for fd := int32(0); fd < 9_999; fd++ {
		have.Drop(fd)
	}
	have.Made(Max)
	if len(have.slots) > 16 {
		t.Errorf("%d slots for two", len(have.slots))
	}
}

func BenchmarkTableLookup(b *testing.B) {
	var have Table[[2]uint64]
	for fd := int32(0); fd < 10_000; fd++ {
		have.Made(fd)
	}
	for i := range b.N {
		if have.At(int32(i)%10_000) == nil {
			b.Fatal("lost")
		}
	}
}
