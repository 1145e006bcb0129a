//go:build gopy_binding

/* The dicts of channels: what makes their changes tell a watcher, and their being replaced. Requires the GIL throughout. */
#include "internal.h"

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

#if PY_VERSION_HEX >= 0x030D0000
static int set_dict(PyObject *self, PyObject *value, void *closure);

/* Whether assigning an instance's __dict__ runs no code of the program's. */
static int dict_is_assigned_plainly(PyTypeObject *type)
{
    PyTypeObject *where;
    PyObject *descriptor = dict_descriptor(type, &where);
    setter set = descriptor ? ((PyGetSetDescrObject *)descriptor)->d_getset->set : NULL;
    return set && (set == plain_set || set == set_dict);
}

/* From 3.13 on the values may stay with the object, where stores tell no watcher. This puts an ordinary dict in their
 * place, and returns it, owned; NULL without an exception where that cannot be. */
static PyObject *ordinary_dict(PyObject *obj, PyObject *dict)
{
    static PyObject *name;
    /* Nobody else may hold the old one: they would go on with what is no longer the instance's. */
    if (Py_REFCNT(dict) == 2 && PyDict_CheckExact(dict) && !ga_is_watched(dict) && dict_is_assigned_plainly(Py_TYPE(obj)) &&
        (name || (name = PyUnicode_InternFromString("__dict__")))) {
        PyObject *compact = PyDict_New();
        if (compact && PyDict_Update(compact, dict) == 0) {
            /* Where there is no memory for a copy of the old one's values CPython 3.13 empties it, and the object's
             * attributes are nowhere but in ours. */
            for (int tries = 0; tries < 100; tries++) {
                if (PyObject_GenericSetAttr(obj, name, compact) == 0)
                    return compact;
                PyErr_Clear();
                if (PyDict_GET_SIZE(dict) == PyDict_GET_SIZE(compact))
                    break;
            }
        }
        Py_XDECREF(compact);
    }
    PyErr_Clear();
    /* A key that is no string makes an ordinary dict of this one; it is larger, and slower to look into. */
    if (PyDict_SetItem(dict, Py_None, Py_None) == 0 && PyDict_DelItem(dict, Py_None) == 0)
        return Py_NewRef(dict);
    PyErr_Clear();
    return NULL;
}
#endif

PyObject *ga_watchable_dict(PyObject *obj)
{
    /* A class that is itself a channel: its dict is CPython's to change, and a debug build of it aborts. */
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

/* `obj.__dict__ = other` shows to a dict's watcher only as the end of the old one, and not while the program
 * holds on to that. So the classes whose instances have a __dict__ get a descriptor that tells us first. What
 * it does then is what CPython put into all of them. */
static PyObject *get_dict(PyObject *self, void *closure)
{
    return plain_get(self, closure);
}

static int set_dict(PyObject *self, PyObject *value, void *closure)
{
    PyObject *dict = plain_get(self, closure);
    if (dict)
        ga_mirror_dict_replaced(dict);
    else
        PyErr_Clear();
    Py_XDECREF(dict);
    return plain_set(self, value, closure);
}

static PyGetSetDef replacing = {"__dict__", get_dict, set_dict, "dictionary for instance variables", NULL};

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

void ga_watch_replacing(PyTypeObject *type)
{
    PyTypeObject *where;
    PyObject *descriptor = dict_descriptor(type, &where);
    if (descriptor && where == type) {
        plain_get = ((PyGetSetDescrObject *)descriptor)->d_getset->get;
        plain_set = ((PyGetSetDescrObject *)descriptor)->d_getset->set;
    }
}

int ga_replacing_shows(PyTypeObject *type)
{
    PyTypeObject *where;
    PyObject *descriptor = dict_descriptor(type, &where);
    PyGetSetDef *definition = descriptor ? ((PyGetSetDescrObject *)descriptor)->d_getset : NULL;
    if (definition == &replacing)
        return 1;
    if (!definition || !plain_set || definition->get != plain_get || definition->set != plain_set ||
        (where->tp_flags & (Py_TPFLAGS_HEAPTYPE | Py_TPFLAGS_IMMUTABLETYPE)) != Py_TPFLAGS_HEAPTYPE)
        return 0;
    PyObject *ours = PyDescr_NewGetSet(where, &replacing), *own = PyType_GetDict(where);
    int installed = ours && own && PyDict_SetItemString(own, "__dict__", ours) == 0;
    Py_XDECREF(own);
    Py_XDECREF(ours);
    if (installed)
        PyType_Modified(where);
    else
        PyErr_Clear();
    return installed;
}
