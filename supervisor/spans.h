/*
 * spans.h: what lasts for a span lasts that long, whatever the host's clock is set to.
 *
 * The store holds dates. What was asked for as a length (`sleep` with ms, the time-out of a wait, the expiry of a gate,
 * the pause before another try, retry.within, a rate) is moved with the wall clock when that is set, within one boot:
 * it is held against CLOCK_BOOTTIME, also over restarts of reeved. After a boot the date is all there is. What was asked
 * for as a date (`sleep` with until) stays that date.
 */
#ifndef REEVE_SUPERVISOR_SPANS_H
#define REEVE_SUPERVISOR_SPANS_H

#include "supervisor/reeved.h"

/* The info of a timer for a date. */
#define SPANS_DATE "{\"clock\":\"wall\"}"

/* At start-up, before anything is compared with a time; then each pass of the loop begins with a look. */
int spans_open(struct reeved *rv, struct err *err) NODISCARD;

#endif
