//go:build linux

// Command loadgen puts one kind of load on one server of the benchmark and prints one line of JSON:
// how much was done within the window, and the CPU time that server and generator spent on it.
//
//	loadgen -load echo|churn|in|out|lines -port P -server PID [-active A] [-idle N] ...
//
// It is one goroutine on one thread over one epoll set. Its system calls are raw ones: Go's monitor
// thread would take the processor away from a goroutine that is in and out of the ordinary ones
// all the time, and the generator has to be faster than every server it measures.
//
// The window opens when every active connection has been served once and the warm-up is over, and
// closes when its time is over and enough was done.
package main
