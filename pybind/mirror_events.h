/* What CPython's watchers report, as marks in the mirrors.
 *
 * Functions run no Python code and touch no exception. */
#pragma once

#include "mirror.h"

/* What watch.c reports; the owners are a ga_mirror and a ga_channel. */
void ga_mirror_map_changed(void *mirror, PyDict_WatchEvent event, PyObject *key, PyObject *value);
void ga_mirror_attribute_changed(void *channel, PyDict_WatchEvent event, PyObject *key, PyObject *value);
void ga_mirror_class_assigned(PyObject *obj); /* or about to be */

void ga_mirror_dict_replaced(PyObject *dict);  /* what instance_dict.c reports */
void ga_mirror_class_changed(ga_class *class); /* what class_facts.c reports */

/* What no watcher can report. */
void ga_mirror_synchronise(ga_mirror *m); /* makes the mirror equal to the map */
static inline void ga_mirror_catch_up(ga_mirror *m)
{
    if (m->resync)
        ga_mirror_synchronise(m);
}
void ga_mirror_look_at_suspects(ga_mirror *m); /* marks those that have another class by now */
