/*
 * client.h: the inside of struct reeve, for the files of the library alone.
 */
#ifndef REEVE_WORKER_CLIENT_H
#define REEVE_WORKER_CLIENT_H

#include "worker/channel.h"
#include "worker/reeve.h"

enum client_state { CLIENT_NEW, CLIENT_RUNNING, CLIENT_ENDED };

#define CLIENT_BATCHES_MAX 4 /* batches of steps that may be unanswered */

struct client_slot { /* one request that was sent */
    int64_t id;
    bool is_open, is_answered;
    bool is_batch; /* our own, of steps: an answer is looked at when it comes, and given to nobody */
    struct reeve_answer answer; /* while answered and not yet taken */
};

/* late.c: what need not leave before something else does. */
struct late {
    struct buf lines; /* messages that leave in front of the next one */
    char key[REEVE_STEP_MAX]; /* of a step that has begun here, but not there; has_begun */
    struct buf input;
    bool has_begun;
    int64_t begin_id;  /* of its step/begin, once that is written; 0: none */
    struct buf batch;  /* steps that have ended: [{"begin":{...},"value":...},... */
    size_t batch_count, batches_open;
    int64_t batch_since_ms; /* when its first one ended */
};

struct reeve {
    struct channel channel;
    struct buf out; /* the request being written */
    int64_t last_id, out_id; /* the newest id; that of the request in `out` */
    struct late late;
    struct client_slot slots[REEVE_OPEN_MAX];
    size_t open_count;
    size_t next_slot; /* where reeve_wait_any goes on looking, so that none is passed over for ever */
    enum client_state state;
    bool is_cancelled;
    bool is_fresh; /* the journal has nothing that this attempt did not ask for: no step is recorded */
    struct err broken; /* once set, every call answers with it */
    struct reeve_answer begun;
    struct reeve_run run;
};

/* Writes and reads what is needed until slot `id` (or, 0, any) is answered. */
struct client_slot *client_wait(struct reeve *r, int64_t id, struct err *err);

/* Ends the request with this id and gives it a slot; it is not sent yet. */
int client_enter(struct reeve *r, struct wire_out *o, int64_t id, bool is_batch, struct err *err);
/* Sends what is late, then what stands in `out`, as one. */
int client_flush(struct reeve *r, struct err *err);
/* One message of the broker, put where it belongs. */
int client_take_message(struct reeve *r, struct err *err);

void late_init(struct late *l);
void late_release(struct late *l);
/* In a fresh run the answer of step/begin is known: to be done. It leaves with what comes next. */
bool late_may_begin(const struct reeve *r, const char *key);
int late_begin(struct reeve *r, const char *key, struct str input, struct err *err);
/* That step has ended; recorded with the batch. */
int late_end(struct reeve *r, struct str value, struct err *err);
/* Before another request: the batch goes in front of it, and a step that has begun begins there too. */
int late_settle(struct reeve *r, struct err *err);
/* As reeve_ask, for the end of the step that has begun: both in one message, one answer to wait for. */
int late_ask(struct reeve *r, struct wire_out *o, struct reeve_answer *a, struct err *err);

#endif
