// Terminators.

package chat

import "bytes"

// Terminator defines where the collected data ends. The zero Terminator is [Everything].
type Terminator struct {
	text  []byte
	back  []int32 // how much of text is still matched after a mismatch at each of its places
	count int
}

// Everything returns a Terminator that never occurs: everything that arrives is collected.
var Everything = Terminator{}

// Until returns a Terminator that is a text, which is not collected. An empty text means Everything.
func Until(text string) Terminator {
	t := Terminator{text: []byte(text)}
	if len(text) > 0 {
		t.back = make([]int32, len(text))
	}
	for i, k := 1, int32(0); i < len(text); i++ {
		for k > 0 && text[i] != text[k] {
			k = t.back[k-1]
		}
		if text[i] == text[k] {
			k++
		}
		t.back[i] = k
	}
	return t
}

// Count returns a Terminator after n bytes; 0 means Everything. It panics if n is negative.
func Count(n int) Terminator {
	if n < 0 {
		panic("chat: negative number of bytes to collect")
	}
	return Terminator{count: n}
}

// Text returns the argument of Until.
func (t Terminator) Text() string { return string(t.text) }

// Remaining returns how many of the bytes of Count have not arrived yet.
func (t Terminator) Remaining() int { return t.count }

// Search looks for the text in data, whose first matched bytes are known to be a beginning of it. It returns
// the index of the text or, if there is none, -1 and the length of a beginning at the end of data.
//
// It looks at each byte once (the algorithm of Knuth, Morris and Pratt), and skips those that cannot begin the
// text.
func (t Terminator) Search(data []byte, matched int) (at, begun int) {
	if len(t.text) == 0 {
		return -1, 0
	}
	k := matched
	for i := matched; i < len(data); i++ {
		if k == 0 {
			skip := bytes.IndexByte(data[i:], t.text[0])
			if skip < 0 {
				return -1, 0
			}
			i += skip
			k = 1
		} else {
			for k > 0 && data[i] != t.text[k] {
				k = int(t.back[k-1])
			}
			if data[i] == t.text[k] {
				k++
			}
		}
		if k == len(t.text) {
			return i + 1 - k, 0
		}
	}
	return -1, k
}
