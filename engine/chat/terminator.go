// Terminators.

package chat

import "bytes"

// Terminator says where what is collected ends. The zero Terminator is [Everything].
type Terminator struct {
	text  []byte
	back  []int32 // how much of text is still matched after a mismatch at each of its places
	count int
}

// Everything never ends: all that arrives is collected.
var Everything = Terminator{}

// Until ends at the text, which is not collected. An empty text is Everything.
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

// Count ends after n bytes; 0 is Everything. It panics if n is negative.
func Count(n int) Terminator {
	if n < 0 {
		panic("chat: negative number of bytes to collect")
	}
	return Terminator{count: n}
}

// Text is what Until got.
func (t Terminator) Text() string { return string(t.text) }

// Remaining is how many of the bytes that Count got are still to come.
func (t Terminator) Remaining() int { return t.count }

// Search looks for the text in data, of which the first matched bytes are known to be a beginning
// of it. It answers where the text stands, or -1 and how much of a beginning stands at the end.
//
// Each byte is looked at once (Knuth, Morris and Pratt), those that cannot begin the text only in
// passing.
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
