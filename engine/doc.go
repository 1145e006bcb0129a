// Package engine is asyncore's model for Go: channels, a map that holds them, and a loop that asks
// them what they wait for, waits, and tells them what happened.
//
// A channel is something with a descriptor that can say whether it wants to read and whether it
// wants to write. A map holds channels by descriptor, in an order. The loop runs passes over the
// map until it is empty; a pass asks what the channels want, waits until one of them is ready or
// the timeout has gone by, and tells those that are ready, in map order.
//
// # Channels
//
// A channel is a [Dispatcher], embedded in a struct that has the handlers it cares about: HandleRead,
// HandleWrite, HandleAccepted and so on (see [ReadHandler] and those after it); the rest have
// defaults. [DispatcherWithSend] buffers what it sends, [FileDispatcher] is for pipes and files, and
// the package chat has channels for protocols of lines. [Loop] serves those of a [Map]:
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
// # Beneath the channels
//
// The loop does not know channels. It serves a [Source], which tells them and asks them and
// answers only what changed since the last pass; a [Selector] remembers the rest. So a pass costs
// what the active channels cost, however many others are idle:
//
//	sel := engine.NewSelector(poller)
//	err := sel.Run(source, engine.Options{Timeout: 30 * time.Second, Meaning: engine.Select, Count: -1})
//
// Readiness comes from a [Poller]: epoll, kqueue, poll or select behind one interface. What of it
// a channel is told depends on the [Meaning] of the pass, select's or poll's, never on the poller,
// but for one thing: the select poller cannot tell a hang-up or an error from readiness.
//
// # Goroutines
//
// The package starts none (a context given to [WithContext] may, when it ends), catches no signal
// and sets no finalizer. A Map and its channels belong to one goroutine at a time, that of the
// loop; from others, only [Map.Wake] and [Map.Do] may be called, and Do is how they reach the rest.
// A handler may call Loop again, for its own map too.
//
// A Poller and a Selector belong to one goroutine at a time. Only Wake, and a write to WakeFD, may
// come from elsewhere, at any time; they make a waiting Run ask its Source again at once. A Run
// may not be started inside another Run of the same Selector: it answers [ErrRunning].
//
// # Descriptors
//
// A channel owns its endpoint and closes it in Close. Beneath the channels, descriptors are not
// the engine's: a Poller never closes, reads or writes one that it was given.
//
//   - A regular file, or whatever else epoll refuses as always ready, is always ready.
//   - A descriptor that is not open ends a Run with EBADF in select's meaning, and is told to its
//     channel as [Invalid] in each pass in poll's. That it was closed, or replaced, without a word
//     to the engine is found out by a look at all of them with poll(2), once a second or when
//     nothing else happens, for at most a hundredth of the time.
//   - A closed descriptor whose open file lives on (a child has it, or another number) may go on
//     giving events; the poller then starts afresh without it.
//   - A condition that the wait cannot leave out and that means nothing to the channel (a hang-up
//     for one that only wants to write, in select's meaning) is put aside and looked at again
//     every half second. So a Run with nothing to tell never spins.
package engine
