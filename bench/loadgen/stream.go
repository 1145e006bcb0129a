//go:build linux

package main

const block = 1 << 16

// streamIn sends to the server as fast as it reads; an operation is a byte.
func streamIn(o options, m *meter) error {
	return stream(o, m, nil, write)
}

// streamOut asks the server to send, which it then does as fast as it can; an operation is a byte.
func streamOut(o options, m *meter) error {
	return stream(o, m, []byte("go\r\n"), read)
}

func stream(o options, m *meter, request []byte, move func(int, []byte) (int, error)) error {
	d := &dialer{port: o.port}
	fd, err := d.dial(0)
	if err != nil {
		return err
	}
	if request != nil {
		if err := writeAll(fd, request); err != nil {
			return err
		}
	}
	buffer := make([]byte, block)
	var done int64
	for {
		n, err := move(fd, buffer)
		if err != nil {
			return err
		}
		if done == 0 {
			m.served()
		}
		done += int64(n)
		if over, err := m.over(done); over || err != nil {
			return err
		}
	}
}
