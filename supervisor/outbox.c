/*
 * outbox.c: see outbox.h.
 */
#include "supervisor/outbox.h"

static void on_pass_end(void *arg)
{
    struct outbox *o = arg;
    if (o->failure.number)
        return;
    if (o->before_commit && o->before_commit(o->arg, &o->failure) < 0) {
        store_rollback(o->store);
        ev_stop(o->ev);
        return;
    }
    bool wrote = store_is_dirty(o->store);
    if (store_commit(o->store, &o->failure) < 0) {
        ev_stop(o->ev);
        return;
    }
    if (wrote && o->on_commit)
        o->on_commit(o->arg);
    for (size_t i = 0; i < o->count; i++)
        if (wire_has_output(o->wires[i]))
            wire_release(o->wires[i]);
}

int outbox_init(struct outbox *o, struct ev *ev, struct store *store, struct err *err)
{
    *o = (struct outbox){.ev = ev, .store = store};
    int r = ev_on_pass_end(ev, on_pass_end, o);
    return r < 0 ? err_sys(err, -r, "register the commit hook") : 0;
}

void outbox_release(struct outbox *o)
{
    free(o->wires);
    o->wires = NULL;
    o->count = o->cap = 0;
}

int outbox_add(struct outbox *o, struct wire *w, struct err *err)
{
    if (o->count == o->cap) {
        size_t cap = o->cap ? 2 * o->cap : 16;
        struct wire **grown = reallocarray(o->wires, cap, sizeof(*grown));
        if (!grown)
            return err_sys(err, ENOMEM, "hold a connection's output");
        o->wires = grown;
        o->cap = cap;
    }
    o->wires[o->count++] = w;
    wire_hold(w, true);
    return 0;
}

void outbox_remove(struct outbox *o, struct wire *w)
{
    for (size_t i = 0; i < o->count; i++)
        if (o->wires[i] == w) {
            o->wires[i] = o->wires[--o->count];
            return;
        }
}
