/* What classes.c and class_look.c share. Requires the GIL; nothing runs Python code. */
#ifndef GOASYNCORE_CLASSES_H
#define GOASYNCORE_CLASSES_H

#include "plan.h"

/* classes.c */
ga_class *ga_class_found(PyTypeObject *type); /* NULL if it is not known */
ga_class *ga_class_after(const ga_class *c);  /* the next of all that are known; NULL is before the first and after the last */

/* class_look.c */
void ga_class_make_stale(ga_class *c);                      /* it has to be looked at again */
void ga_class_renew(ga_class *c);                           /* the same, whatever it is found to have */
void ga_class_unstale(ga_class *c);                         /* it is going */
void ga_class_know_nothing(ga_class *c, PyObject *held[2]); /* what its plans held, owned, is for the caller to let go of */
void ga_class_start_comparing(ga_class *c);                 /* in each pass, if its plans have to be */
void ga_class_stop_comparing(ga_class *c);
PyObject *ga_class_lookup(PyTypeObject *type, int name); /* borrowed; gives the type a version, without which its watcher stays silent */

#endif
