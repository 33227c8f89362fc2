/*
 * journal.h: the steps of one living run, in memory over the store, and how a restarted worker's
 * requests find them again.
 *
 * A request is matched by kind, key and canonical request digest; the n-th request of a kind, key and
 * digest takes the n-th such step (INV-05), whatever the order in which different requests come back.
 * Each step is taken once in an attempt.
 */
#ifndef REEVE_SUPERVISOR_JOURNAL_H
#define REEVE_SUPERVISOR_JOURNAL_H

#include "sandbox/os/wire.h"
#include "supervisor/store/store.h"

struct waiter { /* a request of the worker that waits for a step's outcome */
    struct waiter *next;
    size_t id_len;
    char id[];   /* the JSON-RPC id, as it came */
};

struct step {
    struct store_step rec;   /* its texts are owned by the step */
    struct step *next_same;  /* in its bucket, by rising seq */
    bool matched;            /* asked for in this attempt */
    bool live;               /* somebody works on it: a call is under way or prepared */
    bool unwritten;          /* begun in memory alone: see journal_append_later */
    struct waiter *waiters;
    char *request;           /* what is to be sent, as the worker gave it in this attempt; owned */
    size_t request_len;
    int64_t approval_open;   /* approval id that it waits for; 0: none */
    void *effect;            /* of effect.c, while live */
};

struct journal {
    struct store *store;
    int64_t run;
    struct step **steps; /* by rising seq; those up to the checkpoint are not here */
    size_t count, cap;
    struct step **buckets;
    size_t bucket_count;
    size_t quiet;        /* so many steps at the front have an outcome: nobody waits for them or works on them */
    size_t unwritten;    /* steps that have no row yet */
    size_t unmatched;    /* steps of earlier attempts that the worker has not asked for yet */
    int64_t delivered;   /* outcomes that the worker has in this attempt */
};

void journal_init(struct journal *j, struct store *store, int64_t run);
void journal_release(struct journal *j);
/* Reads the steps after the checkpoint; all count as unmatched. */
int journal_load(struct journal *j, int64_t after_seq, struct err *err) NODISCARD;
/* The next untaken step for this request, now taken; NULL when there is none. */
struct step *journal_match(struct journal *j, enum step_kind kind, struct str key, const struct digest *request);
/* The first untaken step of earlier attempts, for a divergence's message; NULL when all are taken. */
const struct step *journal_first_unmatched(const struct journal *j);
/* Writes a new step (rec.run and rec.occurrence are set here) and takes it. rec.seq is the caller's. */
int journal_append(struct journal *j, const struct store_step *rec, struct step **ret, struct err *err) NODISCARD;
/* Likewise, but the row is not written now: journal_save() of the step, or journal_write_out(), does it. For
 * steps whose beginning nobody outside of the run's own worker can learn of (a named step): when everything
 * dies before it is written, the worker asks again and nothing had happened. The request is written out of
 * step->request. */
int journal_append_later(struct journal *j, const struct store_step *rec, struct step **ret, struct err *err) NODISCARD;
/* Writes what journal_append_later left. Part of every change of the run's row, so that what is on disk is
 * never a later step without an earlier one. */
int journal_write_out(struct journal *j, struct err *err) NODISCARD;
int journal_save(struct journal *j, struct step *s, struct err *err) NODISCARD;
/* The first step that may be without an outcome, be waited for or worked on: all before it are over. */
size_t journal_first_busy(struct journal *j);
struct step *journal_find(struct journal *j, int64_t seq);
/* Replaces a text of the record (rec.reason or rec.info) by a copy. */
int step_set_text(struct str *field, struct str text) NODISCARD;
/* The outcome's text, to be written by the next journal_save. */
int step_set_outcome(struct journal *j, struct step *s, struct str text, struct err *err) NODISCARD;
void step_drop_outcome(struct step *s); /* withdrawn: it is asked again */
int step_set_request(struct step *s, struct str text) NODISCARD;
int step_wait(struct step *s, struct str id_raw) NODISCARD; /* adds a waiter; at most 64: -E2BIG */
void step_drop_waiters(struct step *s);
/* Has an outcome that a worker may be told. */
bool step_is_settled(const struct step *s);
/* The worker's checkpoint covers all that it asked for so far: drops the settled steps up to there. */
void journal_forget(struct journal *j, int64_t up_to_seq);

#endif
