/* What channels wait for: those that must be asked are asked, and the changes are collected for the engine. */
#pragma once

#include "mirror.h"

/* Collects into go.changes what has changed since the last time, or has to be reported again. 1 if the pass must be portable.
 * Runs Python code. */
int ga_interest_collect(ga_mirror *m);

/* The engine may not have heard of what was collected last; of anything. Neither runs Python code or touches the exception. */
void ga_interest_report_changes_again(ga_mirror *m);
void ga_interest_report_all_again(ga_mirror *m);
