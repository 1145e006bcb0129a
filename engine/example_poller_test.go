package engine_test

import (
	"fmt"
	"os"
	"time"

	"github.com/goasyncore/goasyncore/engine"
)

func ExamplePoller() {
	p, _ := engine.Open("poll")
	defer p.Close()
	r, w, _ := os.Pipe()
	defer r.Close()
	defer w.Close()
	fmt.Println(p.Add(int(r.Fd()), engine.Read))
	w.WriteString("x")
	ready := make([]engine.Ready, p.Len())
	n, err := p.Wait(ready, time.Second)
	fmt.Println(n, err, ready[0].FD == int32(r.Fd()), ready[0].Events == engine.Read)
	// Output:
	// <nil>
	// 1 <nil> true true
}

// counter is a Source that wants to write to one descriptor, three times.
type counter struct{ fd, left int }

func (c *counter) Step(ready []engine.Ready, _ bool) ([]engine.Change, bool) {
	for range ready {
		fmt.Println("ready")
		c.left--
	}
	return []engine.Change{{FD: int32(c.fd), Want: engine.Write, Order: 1}}, c.left > 0
}

func (c *counter) Interrupted() bool { return true }

func (*counter) Holds(int32, uint64) bool { return true }

func ExampleSelector() {
	p, _ := engine.Open("")
	s := engine.NewSelector(p)
	defer s.Close()
	r, w, _ := os.Pipe()
	defer r.Close()
	defer w.Close()
	c := &counter{fd: int(w.Fd()), left: 3}
	fmt.Println(s.Run(c, engine.Options{Timeout: -1, Meaning: engine.Select, Count: -1}))
	// Output:
	// ready
	// ready
	// ready
	// <nil>
}
