//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Package engine is asyncore's model for Go: channels, a map that holds them, and a loop.
//
// A channel is a [Dispatcher], embedded in a struct that has the handlers it cares about: HandleRead,
// HandleWrite, HandleAccepted and so on (see [ReadHandler]); the rest have defaults.
// [DispatcherWithSend] buffers what it sends, [FileDispatcher] is for pipes and files, and the package
// chat has channels for protocols of lines. [Loop] runs passes over the channels of a [Map] until none
// is left. A pass asks them what they wait for, waits until one of them is ready or the timeout has
// passed, and calls the handlers of those that are ready, in map order:
//
//	type echo struct{ engine.DispatcherWithSend }
//
//	func (e *echo) HandleRead() error {
//		n, err := e.Recv(e.Map().Buffer())
//		if err != nil {
//			return err
//		}
//		_, err = e.Send(e.Map().Buffer()[:n])
//		return err
//	}
//
//	func (e *echo) HandleAccepted(sock *engine.Socket, from engine.Addr) error {
//		client := &echo{}
//		client.Init(client, e.Map())
//		return client.Attach(sock)
//	}
//
//	server := &echo{}
//	server.Init(server, nil)
//	if err := server.Listen("tcp", "localhost:8080"); err != nil {
//		log.Fatal(err)
//	}
//	log.Fatal(engine.Loop())
//
// An error that a handler returns goes to its HandleError, and so does a panic, with its stack.
// [ErrExitNow] ends the loop. The end of a connection is not an error: HandleClose is called. The
// failure of one accepted connection ends that connection, never the channel that listens.
//
// If a handler has the methods Readable or Writable, the loop calls them in each pass. Otherwise
// SetReadable and SetWritable choose what a channel waits for, and an idle channel costs nothing. An
// event allocates no memory. The same holds for [Map.AfterFunc], SetIdleTimeout and SetDeadline.
//
// # Goroutines
//
// The package starts no goroutine (a context given to [WithContext] may, when it ends) and catches no
// signal. A Map and its channels belong to one goroutine at a time, that of the loop. Other goroutines
// may call only [Map.Wake] and [Map.Do]; a function given to Do may use the rest. A handler may call
// Loop again, even for its own map. To use several cores, run several loops, each over its own map.
//
// # Descriptors
//
// A channel owns its endpoint and closes it in Close. A descriptor for which the poller cannot wait, such
// as that of a regular file, is always ready. A descriptor that was closed without the channel is found
// within a second: Loop then returns an error that wraps EBADF or, with WithPoll, calls HandleClose.
package engine
