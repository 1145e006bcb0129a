package engine_test

import (
	"fmt"

	"github.com/goasyncore/goasyncore/engine/socket"
)

func ExampleSocket() {
	a, _ := socket.New("udp")
	b, _ := socket.New("udp")
	defer a.Close()
	defer b.Close()
	anywhere, _ := socket.ParseAddr("udp", "127.0.0.1:0")
	fmt.Println(a.Bind(anywhere), b.Bind(anywhere))
	address, _ := a.LocalAddr()
	fmt.Println(b.SendTo([]byte("a datagram"), address))
	buffer := make([]byte, 100)
	n, from, err := a.RecvFrom(buffer)
	sender, _ := b.LocalAddr()
	fmt.Printf("%s %v %v\n", buffer[:n], from == sender, err)
	// Output:
	// <nil> <nil>
	// <nil>
	// a datagram true <nil>
}

func ExampleParseAddr() {
	for _, address := range []string{"127.0.0.1:80", "localhost:80", ":80", "example.org:80"} {
		fmt.Println(socket.ParseAddr("tcp", address))
	}
	// Output:
	// 127.0.0.1:80 <nil>
	// 127.0.0.1:80 <nil>
	// 0.0.0.0:80 <nil>
	//  address example.org:80: the host is not an IP address
}
