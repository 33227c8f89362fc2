/*
 * wire_impl.h: the insides of a wire, shared by wire*.c alone.
 *
 * wire.c       life, reading, framing, dispatch     wire_out.c   output and descriptors that go with it
 * wire_call.c  calls: ids, time-outs, replies
 *
 * Freeing: any handler may free the wire that called it. Every entry from the loop stands between
 * wire_enter() and wire_leave(); wire_free() inside of that closes and marks, the memory goes at the
 * outermost wire_leave().
 *
 * The owner's functions are called from the loop alone, never from inside of a wire_ function: a fault
 * that is found while writing is kept in `fault` and told by the `again` timer.
 */
#ifndef REEVE_OS_WIRE_IMPL_H
#define REEVE_OS_WIRE_IMPL_H

#include "sandbox/os/fd.h"
#include "sandbox/os/wire.h"

#define WIRE_FDS_MAX        64            /* descriptors waiting, each way */
#define WIRE_READ_FIRST     ((size_t)8192) /* what a wire reads with, and goes back to */
#define WIRE_READ_KEEP      ((size_t)65536) /* buffers beyond it are given back when empty */
#define WIRE_READ_PASS      ((size_t)262144) /* read at most so much of one message in a pass */
#define WIRE_CALLS_POOL     32

enum wire_call_state { CALL_FREE, CALL_OPEN, CALL_DROPPED };

struct wire_call {
    struct wire *w;
    enum wire_call_state state;
    int64_t id;
    wire_reply_fn *fn;
    void *arg;
    struct ev_timer *timer;      /* made at first need, kept with the pooled call */
    struct wire_call *chain;     /* of its hash bucket; or of the pool */
    struct wire_call *older, *newer; /* all open ones, or all dropped ones, by age */
};

struct wire_call_list {
    struct wire_call *oldest, *newest;
    size_t count;
};

struct wire_calls {
    int64_t last_id;
    struct wire_call **buckets; /* by id modulo bucket_count, a power of two */
    size_t bucket_count;
    struct wire_call_list open, dropped;
    struct wire_call *pool;
    size_t pool_count;
};

struct wire_fd_out {
    int fd;
    uint64_t at; /* the byte of the stream that it goes with */
};

struct wire {
    struct ev *ev;
    struct wire_owner owner;
    struct wire_limits limits;
    int in_fd, out_fd;   /* the same for a socket */
    bool is_pipe, may_pass;
    bool closed, freed;  /* told to the owner; by the owner */
    unsigned depth;
    struct err fault;    /* number != 0: to be told at the next pass */
    struct ev_io *in, *out_io; /* out_io: pipes alone, only while blocked */
    struct ev_timer *again; /* something is left to do in the next pass, whatever epoll says */
    struct ev_timer *partial;

    /* Input: [in_at, in_len) is not dispatched yet; no line feed in [in_at, in_scanned). */
    char *in_buf;
    size_t in_cap, in_at, in_len, in_scanned;
    bool paused;
    uint64_t pass;       /* for which `dispatched` counts */
    unsigned dispatched;
    struct arena arena;
    int fds_in[WIRE_FDS_MAX];
    size_t fds_in_count;

    /* Output: bytes [sent, released) may leave, [released, ended) are held, what is behind `ended` is
     * the message being written. All count from the start of out. */
    struct buf out;
    size_t sent, released, ended;
    uint64_t stream_at;  /* where in the stream out's first byte stands */
    bool held, blocked;
    int broken; /* errno of a write: the peer reads no more; what it sent before is read to its end */
    struct ev_task *flush;
    struct wire_fd_out fds_out[WIRE_FDS_MAX];
    size_t fds_out_count;

    struct wire_calls calls;
};

static inline void wire_enter(struct wire *w)
{
    w->depth++;
}
void wire_leave(struct wire *w);
static inline bool wire_is_live(const struct wire *w)
{
    return !w->closed && !w->freed;
}
/* The fault is told in the next pass; only the first counts. */
void wire_fail_later(struct wire *w, const struct err *why);
void wire_watch(struct wire *w); /* tells the loop what we wait for */

int wire_out_init(struct wire *w, struct err *err) NODISCARD;
void wire_out_release(struct wire *w);
void wire_out_write(struct wire *w); /* as much as the kernel takes; never calls the owner */
/* The buffer for the next message, bounded by what the limit leaves. */
struct buf *wire_out_begin(struct wire *w);
void wire_out_drop(struct wire *w); /* the message that was begun */

/* A reply came: true when it was one to a call (or late), false: nobody waits for it. */
bool wire_calls_reply(struct wire *w, const struct wire_message *m);
/* Answers all with WIRE_E_UNAVAILABLE until none is left or the wire was freed. */
void wire_calls_fail(struct wire *w, const struct err *why);
void wire_calls_release(struct wire *w);

#endif
