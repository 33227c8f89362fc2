/*
 * door.h: what reeve-control asks of reeved: changes, with the credentials of the person behind them.
 */
#ifndef REEVE_SUPERVISOR_DOOR_H
#define REEVE_SUPERVISOR_DOOR_H

#include "supervisor/reeved.h"

/* One message of reeve-control: `control/do {peer, method, params}`. Answers on w, after the commit. */
void door_message(struct reeved *rv, struct wire *w, const struct wire_message *m);

#endif
