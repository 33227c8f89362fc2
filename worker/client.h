/*
 * client.h: the inside of struct reeve, for the files of the library alone.
 */
#ifndef REEVE_WORKER_CLIENT_H
#define REEVE_WORKER_CLIENT_H

#include "worker/channel.h"
#include "worker/reeve.h"

enum client_state { CLIENT_NEW, CLIENT_RUNNING, CLIENT_ENDED };

struct client_slot { /* one request that was sent */
    int64_t id;
    bool is_open, is_answered;
    struct reeve_answer answer; /* while answered and not yet taken */
};

struct reeve {
    struct channel channel;
    struct buf out; /* the request being written */
    int64_t last_id;
    struct client_slot slots[REEVE_OPEN_MAX];
    size_t open_count;
    size_t next_slot; /* where reeve_wait_any goes on looking, so that none is passed over for ever */
    enum client_state state;
    bool is_cancelled;
    struct err broken; /* once set, every call answers with it */
    struct reeve_answer begun;
    struct reeve_run run;
};

/* Writes and reads what is needed until slot `id` (or, 0, any) is answered. */
struct client_slot *client_wait(struct reeve *r, int64_t id, struct err *err);

#endif
