/*
 * outbox.h: output commit (INV-04). Every wire of reeved holds its output; at the end of each loop pass
 * the store is committed and only then do the held messages leave. When the commit fails nothing leaves
 * and the loop stops: what was not on disk was never promised to anybody.
 */
#ifndef REEVE_SUPERVISOR_OUTBOX_H
#define REEVE_SUPERVISOR_OUTBOX_H

#include "sandbox/os/wire.h"
#include "supervisor/store/store.h"

struct outbox {
    struct ev *ev;
    struct store *store;
    struct wire **wires;
    size_t count, cap;
    struct err failure; /* of the commit that ended the loop; number 0 while all is well */
    /* Called before each commit, to write what was put off until then; may be NULL. Failing ends the loop. */
    int (*before_commit)(void *arg, struct err *err);
    /* Called after each commit that wrote something, before the messages leave; may be NULL. */
    void (*on_commit)(void *arg);
    void *arg;
};

/* Registers the pass-end hook: call it before any other user of ev does. */
int outbox_init(struct outbox *o, struct ev *ev, struct store *store, struct err *err);
void outbox_release(struct outbox *o);
int outbox_add(struct outbox *o, struct wire *w, struct err *err); /* holds it from now on; borrowed */
void outbox_remove(struct outbox *o, struct wire *w);              /* before wire_free */

#endif
