/* Native async_chat.handle_read: receives, and delivers up to each terminator. */
#define _GNU_SOURCE /* memmem */
#include "calls_chat_input.h"
#include "calls_chat_unread.h"

#define SHORT_TERMINATOR 64 /* bytes; asynchat finds longer ones faster */

static PyObject *collect_rest; /* asynchat._collect; owned */

/* What there is to read in one step. */
typedef struct {
    PyObject *buffer; /* bytes; owned */
    const char *start;
    Py_ssize_t size;
    ga_unread *from; /* or NULL: the attribute holds it */
} input;

/* Finds what there is to read. 1; 0 if only asynchat can deal with it; or -1 with an exception set. */
static int look(PyObject *self, ga_unread **u, input *in)
{
    if (*u && ga_unread_is_missing(*u) && PyBytes_GET_SIZE((*u)->data) - (*u)->at >= GA_LONG_INPUT)
        in->buffer = Py_NewRef((*u)->data);
    else {
        ga_unread *before = *u;
        *u = NULL;
        if (before && ga_unread_end(before) < 0)
            return -1;
        in->buffer = ga_attribute(self, NAME(ac_in_buffer));
        if (!in->buffer || !PyBytes_CheckExact(in->buffer)) {
            Py_CLEAR(in->buffer);
            PyErr_Clear(); /* asynchat reads the attribute, which raises it again */
            return 0;
        }
        *u = ga_unread_begin(self, in->buffer);
    }
    Py_ssize_t at = *u ? (*u)->at : 0;
    in->from = *u;
    in->start = PyBytes_AS_STRING(in->buffer) + at;
    in->size = PyBytes_GET_SIZE(in->buffer) - at;
    return 1;
}

/* Removes the first `size` bytes of the input, whatever it is by now. */
static int drop(PyObject *self, input *in, Py_ssize_t size)
{
    if (in->from && ga_unread_is_missing(in->from)) {
        in->from->at += size;
        return 0;
    }
    PyObject *buffer = PyObject_GetAttr(self, NAME(ac_in_buffer));
    PyObject *rest = buffer ? PySequence_GetSlice(buffer, size, PY_SSIZE_T_MAX) : NULL;
    int status = rest ? PyObject_SetAttr(self, NAME(ac_in_buffer), rest) : -1;
    Py_XDECREF(buffer);
    Py_XDECREF(rest);
    return status;
}

static int call_method(PyObject *self, PyObject *method, PyObject *data)
{
    PyObject *args[3] = {NULL, self, data};
    PyObject *result = PyObject_VectorcallMethod(method, args + 1, (data ? 2 : 1) | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

/* Passes the first `size` bytes of the input to collect_incoming_data. */
static int collect_front(PyObject *self, input *in, Py_ssize_t size)
{
    PyObject *data = size == PyBytes_GET_SIZE(in->buffer) ? Py_NewRef(in->buffer) : PyBytes_FromStringAndSize(in->start, size);
    int status = data ? call_method(self, NAME(collect_incoming_data), data) : -1;
    Py_XDECREF(data);
    return status;
}

/* As asynchat.find_prefix_at_end. */
static Py_ssize_t prefix_at_end(const char *start, Py_ssize_t size, const char *needle, Py_ssize_t needed)
{
    for (Py_ssize_t n = needed - 1 < size ? needed - 1 : size; n > 0; n--)
        if (memcmp(start + size - n, needle, (size_t)n) == 0)
            return n;
    return 0;
}

/* self.get_terminator(), owned; NULL with an exception set. */
static PyObject *terminator_of(PyObject *self)
{
    PyObject *dict = Py_XNewRef(ga_plain_dict(self)), *terminator = NULL;
    if (dict && ga_is_ours(self, dict, NAME(get_terminator), M_GET_TERMINATOR))
        terminator = Py_XNewRef(ga_peek(self, dict, NAME(terminator)));
    Py_XDECREF(dict);
    if (terminator)
        return terminator;
    PyErr_Clear(); /* the call raises it again */
    return PyObject_CallMethodNoArgs(self, NAME(get_terminator));
}

PyObject *ga_chat_refuse(PyObject *self, int method)
{
    ga_pass_through(ga_methods[method].function);
    PyObject *exc = PyErr_GetRaisedException(), *outer = PyErr_GetHandledException();
    PyErr_SetHandledException(exc);
    PyObject *result = PyObject_CallMethodNoArgs(self, NAME(handle_error));
    PyErr_SetHandledException(outer);
    Py_XDECREF(outer);
    Py_DECREF(exc);
    Py_XDECREF(result);
    return result ? Py_NewRef(Py_None) : NULL;
}

enum { FAILED = -1, MORE, DONE, PYTHON }; /* the result of a step; FAILED with an exception set */

/* What asynchat._step does. */
static int step(PyObject *self, input *in, PyObject *terminator)
{
    Py_ssize_t length = PyBytes_CheckExact(terminator) ? PyBytes_GET_SIZE(terminator) : -1;
    const char *wanted = length > 0 ? PyBytes_AS_STRING(terminator) : NULL, *at;
    if (terminator == Py_None || length == 0) {
        if (collect_front(self, in, in->size) < 0)
            return FAILED;
        if (in->from && ga_unread_is_missing(in->from)) {
            in->from->at += in->size;
            return MORE;
        }
        return PyObject_SetAttr(self, NAME(ac_in_buffer), ga_empty) < 0 ? FAILED : MORE;
    }
    if (length < 0 || length > SHORT_TERMINATOR)
        return PYTHON; /* a number, or what only asynchat can deal with */
    if ((at = memmem(in->start, (size_t)in->size, wanted, (size_t)length))) {
        Py_ssize_t line = at - in->start;
        if ((line && collect_front(self, in, line) < 0) || drop(self, in, line + length) < 0)
            return FAILED;
        return call_method(self, NAME(found_terminator), NULL) < 0 ? FAILED : MORE;
    }
    Py_ssize_t begun = prefix_at_end(in->start, in->size, wanted, length);
    if (begun < in->size && (collect_front(self, in, in->size - begun) < 0 || drop(self, in, in->size - begun) < 0))
        return FAILED;
    return begun ? DONE : MORE;
}

/* What asynchat._collect does. */
static int collect_all(PyObject *self)
{
    ga_unread *u = NULL;
    input in;
    int came = MORE;
    while (came == MORE) {
        int found = look(self, &u, &in);
        if (found <= 0) {
            came = found < 0 ? FAILED : PYTHON;
            break;
        }
        if (!in.size)
            came = DONE;
        else {
            PyObject *terminator = terminator_of(self);
            if (!terminator)
                came = FAILED;
            else { /* the program's get_terminator() may have changed the buffer */
                Py_DECREF(in.buffer);
                found = look(self, &u, &in);
                came = found < 0 ? FAILED : !found || !in.size ? PYTHON : step(self, &in, terminator);
                if (found <= 0)
                    in.buffer = NULL;
                Py_DECREF(terminator);
            }
        }
        Py_XDECREF(in.buffer);
    }
    if (u && ga_unread_end(u) < 0)
        came = FAILED;
    if (came != PYTHON)
        return came == FAILED ? -1 : 0;
    PyObject *module = collect_rest ? NULL : PyImport_ImportModule("asynchat"); /* when the interpreter ends */
    PyObject *rest = module ? PyObject_GetAttrString(module, "_collect") : Py_XNewRef(collect_rest);
    Py_XDECREF(module);
    PyObject *result = rest ? PyObject_CallOneArg(rest, self) : NULL;
    Py_XDECREF(rest);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

/* async_chat.handle_read */
PyObject *ga_handle_read(PyObject *self, PyObject *dict, PyObject *Py_UNUSED(none))
{
    PyObject *buffer = ga_peek(self, dict, NAME(ac_in_buffer));
    if (!buffer || !PyBytes_CheckExact(buffer) || !ga_is_ours(self, dict, NAME(recv), M_RECV))
        return GA_PYTHON;
    PyObject *size = PyObject_GetAttr(self, NAME(ac_in_buffer_size));
    PyObject *data = size ? PyObject_CallMethodOneArg(self, NAME(recv), size) : NULL;
    Py_XDECREF(size);
    if (!data) {
        if (!size || !PyErr_ExceptionMatches(PyExc_OSError))
            return NULL;
        if (PyErr_ExceptionMatches(PyExc_BlockingIOError)) {
            PyErr_Clear();
            Py_RETURN_NONE;
        }
        return ga_chat_refuse(self, M_HANDLE_READ);
    }
    /* It is read again, because recv() may have called handle_close(), which may have done anything. */
    buffer = PyObject_GetAttr(self, NAME(ac_in_buffer));
    int status = -1;
    if (buffer && PyBytes_CheckExact(buffer) && PyBytes_GET_SIZE(buffer) == 0 && PyBytes_CheckExact(data))
        status = PyBytes_GET_SIZE(data) ? PyObject_SetAttr(self, NAME(ac_in_buffer), data) : 0;
    else if (buffer) {
        PyObject *both = PyNumber_Add(buffer, data);
        status = both ? PyObject_SetAttr(self, NAME(ac_in_buffer), both) : -1;
        Py_XDECREF(both);
    }
    Py_XDECREF(buffer);
    Py_DECREF(data);
    if (status < 0 || collect_all(self) < 0)
        return NULL;
    Py_RETURN_NONE;
}

int ga_chat_input_setup(PyObject *tools)
{
    PyObject *chat_class, *descriptor;
    if (!PyArg_ParseTuple(tools, "OOO", &collect_rest, &chat_class, &descriptor))
        return -1;
    Py_INCREF(collect_rest);
    return ga_unread_setup(chat_class, descriptor);
}

void ga_chat_input_end(void)
{
    Py_CLEAR(collect_rest);
    ga_unread_end_all();
}
