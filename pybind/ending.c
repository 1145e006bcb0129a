//go:build gopy_binding

/* The end of the interpreter. CPython empties the modules then, so that what is left in them is closed and written
 * out; but not the dict of a module that is gone while something still holds a function of it. We hold classes of
 * the program's and functions of asyncore's, and through those all that their globals lead to: a file that was never
 * closed would not be flushed. So an atexit callback lets go of them. Passes after it are portable. */
#include "methods.h"

int ga_ended;

static PyObject *end(PyObject *self, PyObject *args)
{
    (void)self, (void)args;
    ga_ended = 1;
    ga_methods_end();
    ga_classes_end();
    Py_RETURN_NONE;
}

/* 0, or -1 with an exception set. The function must not go through Go: the child of a fork calls it too. */
int ga_ending_setup(PyObject *module)
{
    static PyMethodDef definition = {"end", end, METH_NOARGS, "end()\n--\n\nLets go of what is the program's."};
    PyObject *function = PyCFunction_New(&definition, NULL);
    int status = function ? PyObject_SetAttrString(module, definition.ml_name, function) : -1;
    Py_XDECREF(function);
    return status;
}
