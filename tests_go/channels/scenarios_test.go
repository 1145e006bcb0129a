package channels

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine"
	"github.com/goasyncore/goasyncore/engine/chat"
)

// scenario is a script and the trace that it has to leave, here as in tests_py/loop/test_scenarios.py,
// which is where the traces come from: what CPython 3.11's asyncore does.
type scenario struct {
	Name     string
	Channels map[string]description
	Steps    []action
	Trace    map[string][]string
}

type description struct {
	Kind       string
	Wants      string
	Terminator any
	On         map[string][]action
}

// action is a verb and its arguments.
type action []any

func (a action) text(i int) string { return a[i].(string) }
func (a action) number(i int) int  { return int(a[i].(float64)) }

func TestScenariosLeaveTheTraceOfPython(t *testing.T) {
	files, err := filepath.Glob("../testdata/scenarios/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		var scenarios []scenario
		require.NoError(t, json.Unmarshal(data, &scenarios))
		for _, s := range scenarios {
			for meaning, trace := range s.Trace {
				t.Run(fmt.Sprintf("%s: %s/%s", filepath.Base(file), s.Name, meaning), func(t *testing.T) {
					onEachMap(t, func(t *testing.T, m *engine.Map) {
						if meaning == "poll" && strings.HasSuffix(t.Name(), "/select") {
							return // that poller cannot tell a hang-up from readiness
						}
						assert.Equal(t, trace, perform(t, m, s, meaning == "poll"))
					})
				})
			}
		}
	}
}

// stage carries out a scenario and keeps its trace.
type stage struct {
	t          *testing.T
	m          *engine.Map
	s          scenario
	options    []engine.Option
	channels   map[string]*engine.Dispatcher
	peers      map[string]*engine.Socket
	trace      []string
	acceptedAs string
}

func perform(t *testing.T, m *engine.Map, s scenario, poll bool) []string {
	st := &stage{t: t, m: m, s: s, options: []engine.Option{engine.WithCount(1)},
		channels: map[string]*engine.Dispatcher{}, peers: map[string]*engine.Socket{}}
	if poll {
		st.options = append(st.options, engine.WithPoll())
	}
	defer func() {
		for _, d := range st.channels {
			d.Close()
		}
	}()
	for _, step := range s.Steps {
		if err := st.act(step); err != nil {
			require.ErrorIs(t, err, errRaised, "%v", step)
		}
	}
	return st.trace
}

// errRaised marks an error that a pass has noted.
var errRaised = errors.New("noted")

func (st *stage) note(words ...string) { st.trace = append(st.trace, strings.Join(words, " ")) }

// event notes an event, and does what the scenario says about it, if anything.
func (st *stage) event(name, event string, more ...string) (acted bool, err error) {
	st.note(append([]string{name, event}, more...)...)
	actions, acted := st.s.Channels[name].On[event]
	for _, a := range actions {
		if err := st.act(a); err != nil {
			return true, err
		}
	}
	return acted, nil
}

// nameOf is what the trace calls an error.
func nameOf(err error) string {
	var errno unix.Errno
	switch {
	case errors.Is(err, engine.ErrExitNow):
		return "exit"
	case errors.Is(err, errHandler):
		return "failure"
	case errors.As(err, &errno):
		return unix.ErrnoName(errno)
	}
	return err.Error()
}

// make makes a channel of the scenario, without a socket.
func (st *stage) make(name string) *engine.Dispatcher {
	described := st.s.Channels[name]
	p := part{stage: st, name: name}
	var d *engine.Dispatcher
	switch described.Kind {
	case "dispatcher":
		c := &plainPart{part: p}
		d = &c.Dispatcher
		c.d = d
		c.Init(c, st.m)
		c.wants(described.Wants)
	case "sender":
		c := &senderPart{part: p}
		d = &c.Dispatcher
		c.d = d
		c.Init(c, st.m)
	case "chat":
		c := &chatPart{part: p}
		d = &c.Dispatcher
		c.d = d
		c.Init(c, st.m)
		c.SetTerminator(terminatorOf(described.Terminator))
	}
	require.NotNil(st.t, d, described.Kind)
	st.channels[name] = d
	return d
}

func terminatorOf(value any) chat.Terminator {
	switch value := value.(type) {
	case string:
		return chat.Until(value)
	case float64:
		return chat.Count(int(value))
	}
	return chat.Everything
}

// attach makes a channel of the scenario around a connection.
func (st *stage) attach(name string, sock *engine.Socket) {
	require.NoError(st.t, st.make(name).Attach(sock))
}

// bulk is size bytes.
func bulk(size int) []byte {
	return bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
}

// pass makes a pass, and notes what it raises.
func (st *stage) pass(timeout time.Duration) error {
	err := st.m.Loop(append(slices.Clone(st.options), engine.WithTimeout(timeout))...)
	if err != nil {
		st.note("raised", nameOf(err))
		return errors.Join(err, errRaised)
	}
	return nil
}

// until makes passes until the event has been noted.
func (st *stage) until(name, event string) {
	noted := func(line string) bool { return strings.HasPrefix(line+" ", name+" "+event+" ") }
	for !slices.ContainsFunc(st.trace, noted) {
		require.NoError(st.t, st.pass(long))
	}
}
