//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// The pollers of the platform, best first.

package poller

import "fmt"

// mechanism is a poller of the platform.
type mechanism struct {
	name string
	open func() (Poller, error)
}

// Open opens the poller with that name. The name "" stands for the best one that works here: a sandbox may forbid
// some.
func Open(name string) (Poller, error) {
	var failure error
	for _, m := range mechanisms {
		if name != "" && name != m.name {
			continue
		}
		p, err := m.open()
		if err == nil {
			return p, nil
		}
		failure = err
	}
	if failure == nil {
		failure = fmt.Errorf("%w: %q", ErrUnknown, name)
	}
	return nil, failure
}

// Names returns the names that Open knows on this platform, best first.
func Names() []string {
	names := make([]string, len(mechanisms))
	for i, m := range mechanisms {
		names[i] = m.name
	}
	return names
}

// Park makes p do its long waits in the poller of Go's runtime, if that is possible: see parker.
func Park(p Poller) {
	if k, ok := p.(interface{ park() }); ok {
		k.park()
	}
}
