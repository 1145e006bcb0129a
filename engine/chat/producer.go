// SimpleProducer.

package chat

import "io"

// SimpleProducer produces a byte slice in pieces.
type SimpleProducer struct {
	data []byte
	size int
}

// NewSimpleProducer returns a producer of data in pieces of size bytes; 512 if size is 0.
func NewSimpleProducer(data []byte, size int) *SimpleProducer {
	if size <= 0 {
		size = 512
	}
	return &SimpleProducer{data, size}
}

// More implements Producer.
func (p *SimpleProducer) More() ([]byte, error) {
	piece := p.data[:min(p.size, len(p.data))]
	p.data = p.data[len(piece):]
	return piece, nil
}

// ReaderProducer produces what a reader returns. The reader must not block.
type ReaderProducer struct {
	from   io.Reader
	buffer []byte
}

// NewReaderProducer returns a producer that reads up to size bytes of r at a time; 512 if size is 0.
func NewReaderProducer(r io.Reader, size int) *ReaderProducer {
	if size <= 0 {
		size = 512
	}
	return &ReaderProducer{r, make([]byte, size)}
}

// More implements Producer. It calls the reader until there is something, or io.EOF.
func (p *ReaderProducer) More() ([]byte, error) {
	for {
		n, err := p.from.Read(p.buffer)
		if n > 0 || err == io.EOF {
			return p.buffer[:n], nil
		}
		if err != nil {
			return nil, err
		}
	}
}
