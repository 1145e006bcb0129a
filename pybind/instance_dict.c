/* The dicts of channels: which can be watched, and reports of those that are replaced. */
#include "instance_dict.h"
#include "watch.h"

int ga_only_names(PyObject *dict)
{
    PyObject *key;
    Py_ssize_t at = 0;
    while (PyDict_Next(dict, &at, &key, NULL))
        if (!PyUnicode_CheckExact(key))
            return 0;
    return 1;
}

static PyObject *dict_descriptor(PyTypeObject *type, PyTypeObject **where);
static getter plain_get;
static setter plain_set;
static void (*report)(PyObject *dict);

#if PY_VERSION_HEX >= 0x030D0000
static int set_dict(PyObject *self, PyObject *value, void *closure);

/* Whether assigning an instance's __dict__ runs no code of the program. */
static int dict_is_assigned_plainly(PyTypeObject *type)
{
    PyTypeObject *where;
    PyObject *descriptor = dict_descriptor(type, &where);
    setter set = descriptor ? ((PyGetSetDescrObject *)descriptor)->d_getset->set : NULL;
    return set && (set == plain_set || set == set_dict);
}

/* From 3.13 on the values may be stored in the object, where no watcher sees stores. This puts an ordinary dict in their
 * place, and returns it, owned; NULL without an exception if that cannot be done. */
static PyObject *ordinary_dict(PyObject *obj, PyObject *dict)
{
    /* If something else held the old one, it would go on with what is no longer the instance's dict. */
    if (Py_REFCNT(dict) == 2 && PyDict_CheckExact(dict) && !ga_is_watched(dict) && dict_is_assigned_plainly(Py_TYPE(obj))) {
        PyObject *compact = PyDict_New();
        if (compact && PyDict_Update(compact, dict) == 0) {
            /* If there is no memory for a copy of the old dict's values, CPython 3.13 empties it, and only ours has the
             * object's attributes. */
            for (int tries = 0; tries < 100; tries++) {
                if (plain_set(obj, compact, NULL) == 0)
                    return compact;
                PyErr_Clear();
                if (PyDict_GET_SIZE(dict) == PyDict_GET_SIZE(compact))
                    break;
            }
        }
        Py_XDECREF(compact);
    }
    PyErr_Clear();
    /* A key that is not a string makes this one an ordinary dict, though larger and slower to look into. */
    if (PyDict_SetItem(dict, Py_None, Py_None) == 0 && PyDict_DelItem(dict, Py_None) == 0)
        return Py_NewRef(dict);
    PyErr_Clear();
    return NULL;
}
#endif

PyObject *ga_watchable_dict(PyObject *obj)
{
    /* A class can be a channel, but only CPython may change its dict: a debug build aborts. */
    if (PyType_Check(obj))
        return NULL;
    PyObject *dict = PyObject_GenericGetDict(obj, NULL);
    if (!dict) {
        PyErr_Clear();
        return NULL;
    }
    if (!ga_only_names(dict)) {
        Py_DECREF(dict);
        return NULL;
    }
#if PY_VERSION_HEX >= 0x030D0000
    Py_SETREF(dict, ordinary_dict(obj, dict));
#endif
    return dict;
}

/* -- replacing an instance's dict --------------------------------------------------------------- */

/* A dict's watcher reports `obj.__dict__ = other` only as the end of the old dict, and not while the program keeps that. So the
 * descriptor __dict__ of a class whose instances have one is made to report it first, and then does what CPython's does. */
static int set_dict(PyObject *self, PyObject *value, void *closure)
{
    PyObject *dict = plain_get(self, closure);
    if (dict)
        report(dict);
    else
        PyErr_Clear();
    Py_XDECREF(dict);
    return plain_set(self, value, closure);
}

static PyGetSetDef reporting = {"__dict__", NULL, set_dict, "dictionary for instance variables", NULL};

/* Borrowed from the class, as `where` is; NULL without an exception if there is none. */
static PyObject *dict_descriptor(PyTypeObject *type, PyTypeObject **where)
{
    PyObject *mro = type->tp_mro;
    for (Py_ssize_t i = 0; mro && i < PyTuple_GET_SIZE(mro); i++) {
        *where = (PyTypeObject *)PyTuple_GET_ITEM(mro, i);
        PyObject *own = PyType_GetDict(*where);
        PyObject *found = own ? PyDict_GetItemString(own, "__dict__") : NULL;
        Py_XDECREF(own);
        if (found)
            return Py_TYPE(found) == &PyGetSetDescr_Type ? found : NULL;
    }
    return NULL;
}

void ga_instance_dict_setup(PyTypeObject *type, void (*replaced)(PyObject *dict))
{
    report = replaced;
    PyTypeObject *where;
    PyObject *descriptor = dict_descriptor(type, &where);
    if (descriptor && where == type) {
        reporting.get = plain_get = ((PyGetSetDescrObject *)descriptor)->d_getset->get;
        plain_set = ((PyGetSetDescrObject *)descriptor)->d_getset->set;
    }
}

int ga_replacing_shows(PyTypeObject *type)
{
    PyTypeObject *where;
    PyObject *descriptor = dict_descriptor(type, &where);
    PyGetSetDef *definition = descriptor ? ((PyGetSetDescrObject *)descriptor)->d_getset : NULL;
    if (definition == &reporting)
        return 1;
    if (!definition || !plain_set || definition->get != plain_get || definition->set != plain_set ||
        (where->tp_flags & (Py_TPFLAGS_HEAPTYPE | Py_TPFLAGS_IMMUTABLETYPE)) != Py_TPFLAGS_HEAPTYPE)
        return 0;
    ((PyGetSetDescrObject *)descriptor)->d_getset = &reporting;
    return 1;
}
