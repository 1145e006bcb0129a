//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Package engine is asyncore's model for Go: channels, a map that holds them, and a loop.
//
// A channel is a [Dispatcher], embedded in a struct that has the handlers it cares about: HandleRead,
// HandleWrite, HandleAccepted and so on (see [ReadHandler]); the rest have defaults.
// [DispatcherWithSend] buffers what it sends, [FileDispatcher] is for pipes and files, and the package
// chat has channels for protocols of lines. [Loop] runs passes over the channels of a [Map] until none
// is left. A pass asks what they wait for, waits until one of them is ready or the timeout has gone by,
// and tells those that are ready, in map order:
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
// An error that a handler returns, or its panic with the stack, goes to its HandleError;
// [ErrExitNow] ends the loop. What the endpoint of a channel reports of its end is not such an error:
// it is HandleClose that learns of that. The trouble of one accepted connection ends that one, never
// the channel that listens.
//
// The loop calls Readable and Writable in each pass, of those handlers that have them. Otherwise
// SetReadable and SetWritable say what a channel waits for, and an idle channel costs nothing; nor
// does an event allocate. The same is true of [Map.AfterFunc], SetIdleTimeout and SetDeadline.
//
// # Goroutines
//
// The package starts none (a context given to [WithContext] may, when it ends) and catches no signal. A
// Map and its channels belong to one goroutine at a time, that of the loop. From others, only [Map.Wake]
// and [Map.Do] may be called, and Do is how they reach the rest. A handler may call Loop again, for its
// own map as well. To use several cores, run several loops, each over a map of its own.
//
// # Descriptors
//
// A channel owns its endpoint and closes it in Close. What the poller cannot wait for, a regular file for
// example, is always ready. One that was closed behind the channel's back is found within a second: in
// select's meaning it ends Loop with EBADF, with WithPoll it is told to HandleClose.
package engine
