package selector_test

import (
	"fmt"
	"os"
	"time"

	"github.com/goasyncore/goasyncore/engine/poller"
	"github.com/goasyncore/goasyncore/engine/selector"
)

func ExamplePoller() {
	p, _ := poller.Open("poll")
	defer p.Close()
	r, w, _ := os.Pipe()
	defer r.Close()
	defer w.Close()
	fmt.Println(p.Add(int(r.Fd()), poller.Read))
	w.WriteString("x")
	ready := make([]poller.Ready, p.Len())
	n, err := p.Wait(ready, time.Second)
	fmt.Println(n, err, ready[0].FD == int32(r.Fd()), ready[0].Events == poller.Read)
	// Output:
	// <nil>
	// 1 <nil> true true
}

// counter is a Source that wants to write to one descriptor, three times.
type counter struct{ fd, left int }

func (c *counter) Step(ready []poller.Ready, _ bool) ([]selector.Change, bool) {
	for range ready {
		fmt.Println("ready")
		c.left--
	}
	return []selector.Change{{FD: int32(c.fd), Want: poller.Write, Order: 1}}, c.left > 0
}

func (c *counter) Interrupted() bool { return true }

func (*counter) Holds(int32, uint64) bool { return true }

func ExampleSelector() {
	p, _ := poller.Open("")
	s := selector.New(p)
	defer s.Close()
	r, w, _ := os.Pipe()
	defer r.Close()
	defer w.Close()
	c := &counter{fd: int(w.Fd()), left: 3}
	fmt.Println(s.Run(c, selector.Options{Timeout: -1, Meaning: selector.Select, Count: -1}))
	// Output:
	// ready
	// ready
	// ready
	// <nil>
}
