//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Errors for handlers with a wrong signature.

package engine

import (
	"fmt"
	"reflect"
	"sync"
)

// checkedTypes has the result of checkHandler for each type of handler.
var checkedTypes sync.Map

// checkHandler returns an error if the handler has a method with a handler's name and another
// signature. The loop would never call it, and nothing would report that.
func checkHandler(handler any) error {
	t := reflect.TypeOf(handler)
	if t == nil {
		return nil
	}
	found, known := checkedTypes.Load(t)
	if !known {
		err := checkType(t)
		checkedTypes.Store(t, err)
		return err
	}
	err, _ := found.(error)
	return err
}

// known are the methods that the loop calls on a handler. The names are constants in the calls of
// MethodByName, so that the linker keeps these methods and may drop others.
var known = []struct {
	name      string
	signature string
	wanted    reflect.Type
	find      func(reflect.Type) (reflect.Method, bool)
}{
	{"HandleRead", "func() error", reflect.TypeFor[ReadHandler](),
		func(t reflect.Type) (reflect.Method, bool) { return t.MethodByName("HandleRead") }},
	{"HandleWrite", "func() error", reflect.TypeFor[WriteHandler](),
		func(t reflect.Type) (reflect.Method, bool) { return t.MethodByName("HandleWrite") }},
	{"HandleExpt", "func() error", reflect.TypeFor[PriorityHandler](),
		func(t reflect.Type) (reflect.Method, bool) { return t.MethodByName("HandleExpt") }},
	{"HandleConnect", "func() error", reflect.TypeFor[ConnectHandler](),
		func(t reflect.Type) (reflect.Method, bool) { return t.MethodByName("HandleConnect") }},
	{"HandleClose", "func() error", reflect.TypeFor[CloseHandler](),
		func(t reflect.Type) (reflect.Method, bool) { return t.MethodByName("HandleClose") }},
	{"HandleTimeout", "func() error", reflect.TypeFor[TimeoutHandler](),
		func(t reflect.Type) (reflect.Method, bool) { return t.MethodByName("HandleTimeout") }},
	{"HandleAccept", "func() error", reflect.TypeFor[AcceptHandler](),
		func(t reflect.Type) (reflect.Method, bool) { return t.MethodByName("HandleAccept") }},
	{"HandleAccepted", "func(*socket.Socket, socket.Addr) error", reflect.TypeFor[AcceptedHandler](),
		func(t reflect.Type) (reflect.Method, bool) { return t.MethodByName("HandleAccepted") }},
	{"HandleError", "func(error) error", reflect.TypeFor[ErrorHandler](),
		func(t reflect.Type) (reflect.Method, bool) { return t.MethodByName("HandleError") }},
	{"LogInfo", "func(string, string)", reflect.TypeFor[LogHandler](),
		func(t reflect.Type) (reflect.Method, bool) { return t.MethodByName("LogInfo") }},
	{"Readable", "func() bool", reflect.TypeFor[ReadPredicate](),
		func(t reflect.Type) (reflect.Method, bool) { return t.MethodByName("Readable") }},
	{"Writable", "func() bool", reflect.TypeFor[WritePredicate](),
		func(t reflect.Type) (reflect.Method, bool) { return t.MethodByName("Writable") }},
	{"Close", "func() error", reflect.TypeFor[closer](),
		func(t reflect.Type) (reflect.Method, bool) { return t.MethodByName("Close") }},
}

func checkType(t reflect.Type) error {
	for _, method := range known {
		if t.Implements(method.wanted) {
			continue
		}
		if wrong, has := method.find(t); has {
			return fmt.Errorf("engine: %v has a method %s that is %s; the loop would call one that is %s",
				t, method.name, withoutReceiver(wrong.Type), method.signature)
		}
		if _, has := method.find(reflect.PointerTo(t)); has && t.Kind() == reflect.Struct {
			return fmt.Errorf("engine: Init needs a *%v, because its %s has a pointer receiver", t, method.name)
		}
	}
	return nil
}

// closer has the method that CloseAll and the default of HandleClose call.
type closer interface{ Close() error }

// withoutReceiver returns the signature of a method, as a function without the receiver.
func withoutReceiver(method reflect.Type) string {
	var in, out []reflect.Type
	for i := 1; i < method.NumIn(); i++ {
		in = append(in, method.In(i))
	}
	for i := range method.NumOut() {
		out = append(out, method.Out(i))
	}
	return reflect.FuncOf(in, out, method.IsVariadic()).String()
}
