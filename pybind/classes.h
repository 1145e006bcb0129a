/* The channels' classes: each comes with its first channel and goes after its last. */
#pragma once

#include "class_facts.h"

ga_class *ga_class_of(PyTypeObject *type); /* an owned use; NULL with an exception set. Runs Python code */
void ga_class_release(ga_class *c);        /* runs no Python code */
int ga_class_known(PyTypeObject *type);    /* whether a channel is an instance of it; runs no Python code */

/* What a watcher reports; neither runs Python code. */
void ga_class_changed(PyTypeObject *type);
void ga_function_changed(PyObject *function);

void ga_classes_renew(void);       /* makes all stale. Runs no Python code */
int ga_classes_refresh(int cells); /* looks at the stale ones, also for what cells hold. Runs Python code */
void ga_classes_drop_unused(void); /* may run Python code */
void ga_classes_end(void);         /* holds none of them any more; may run Python code */
