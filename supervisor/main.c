/*
 * main.c: reeved, the supervisor daemon. Start-up in one argued order, the loop, the end.
 */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/os/file.h"
#include "sandbox/os/sock.h"
#include "sandbox/os/sys.h"
#include "supervisor/audit.h"
#include "supervisor/confine.h"
#include "supervisor/copies.h"
#include "supervisor/helpers.h"
#include "supervisor/queue.h"
#include "supervisor/ready.h"
#include "supervisor/release.h"
#include "supervisor/runs.h"
#include "supervisor/spans.h"
#include "supervisor/worker.h"
#include "supervisor/switches.h"
#include "supervisor/travel.h"

#define HOUSEKEEPING_MS (INT64_C(10) * 60 * 1000)
#define LOCK_WAIT_MS    10000

struct start { /* what start-up holds before there is a loop */
    struct reeved rv;
    struct options options;
    int lock, spawn;
    uid_t uid;     /* that reeved becomes */
    gid_t control; /* group that may read the store */
    bool is_root;
    struct ev_signal *signals[4];
};

/* ---- what the rooms call
 * ------------------------------------------------------------------------------------- */

void reeved_fatal(struct reeved *rv, const struct err *why)
{
    if (!rv->fatal.number) {
        rv->fatal = *why;
        if (!rv->fatal.number)
            rv->fatal.number = EIO;
    }
    store_rollback(rv->store); /* what this pass gathered is not whole: none of it is kept, nothing
                                  of it leaves */
    rv->outbox.failure = rv->fatal;
    ev_stop(rv->ev);
}

void reeved_changed(struct reeved *rv, int64_t id)
{
    for (size_t i = rv->changed_count; i > 0 && i + 16 > rv->changed_count; i--)
        if (rv->changed[i - 1] == id)
            return;
    if (rv->changed_count == rv->changed_cap) {
        size_t cap = rv->changed_cap ? 2 * rv->changed_cap : 64;
        int64_t *grown = reallocarray(rv->changed, cap, sizeof(*grown));
        if (!grown)
            return; /* a follower learns of it with the next change */
        rv->changed = grown;
        rv->changed_cap = cap;
    }
    rv->changed[rv->changed_count++] = id;
}

int64_t reeved_now(const struct reeved *rv)
{
    return ev_unix_ms(rv->ev);
}

static int keep_set(struct reeved *rv, struct house *h, struct err *err)
{
    struct buf text;
    buf_init(&text, HOUSE_BYTES_MAX * 3);
    int e = house_put_texts(h, &text, err);
    if (e >= 0)
        e = store_policy_put(rv->store, &h->digest, buf_str(&text), reeved_now(rv), err);
    buf_release(&text);
    return e;
}

static int load_house(const struct reeved *rv, const char *dir, struct diags *diags,
                      struct house **ret, struct err *err)
{
    const struct house_options o = {.owner = getuid(),
                                    .defs = {rv->options->defs, rv->options->def_count}};
    return house_load(dir, &o, diags, ret, err);
}

int reeved_load(struct reeved *rv, const char *dir, struct diags *diags, struct err *err)
{
    struct house *h;
    int e = load_house(rv, dir, diags, &h, err);
    if (e < 0)
        return e;
    if ((e = keep_set(rv, h, err)) < 0 || (e = release_install(rv, h, err)) < 0) {
        house_unref(h);
        return e;
    }
    house_unref(rv->house);
    rv->house = h;
    log_info(&rv->log, "policy set loaded from %s: %zu policies, %zu workflows", dir,
             h->policy_count, h->workflow_count);
    helpers_reconfigure(rv);
    ready_set(rv);
    runs_schedule(rv); /* limits may be wider now */
    if (rv->queue && (e = queue_count_bytes(rv, err)) < 0)
        return e;
    if (rv->housekeeping)
        ev_timer_set(rv->housekeeping, 0); /* or narrower */
    return 0;
}

#define SHADOW_VALUE "policy.shadow" /* the digest of the shadow set, in hex; empty: none */

int reeved_load_shadow(struct reeved *rv, const char *dir, struct diags *diags, struct err *err)
{
    struct house *h = NULL;
    char hex[DIGEST_HEX] = "";
    int e = dir ? load_house(rv, dir, diags, &h, err) : 0;
    if (e >= 0 && h) {
        digest_hex(&h->digest, hex);
        e = keep_set(rv, h, err);
    }
    if (e >= 0)
        e = store_value_put(rv->store, STR(SHADOW_VALUE), str_of(hex), err);
    if (e < 0) {
        house_unref(h);
        return e;
    }
    house_unref(rv->shadow);
    rv->shadow = h;
    log_info(&rv->log, h ? "a shadow policy set is asked besides, from %s" : "no shadow policy set any more", dir);
    return 0;
}

static int find_shadow(struct reeved *rv, struct err *err)
{
    struct arena a;
    struct str hex, texts;
    struct digest d;
    struct diags diags;
    arena_init(&a, HOUSE_BYTES_MAX * 6);
    diags_init(&diags);
    int e = store_value_get(rv->store, STR(SHADOW_VALUE), &a, &hex, err);
    if (e >= 0 && digest_parse(hex, &d) >= 0 && (e = store_policy_get(rv->store, &d, &a, &texts, err)) >= 0)
        e = house_parse_texts(texts, &diags, &rv->shadow, err);
    diags_release(&diags);
    arena_release(&a);
    return e == -ENOENT ? 0 : e;
}

/* ---- signals and housekeeping
 * ------------------------------------------------------------------------------------ */

static void on_stop(void *arg, struct ev_signal *s, int signo)
{
    (void)s;
    struct reeved *rv = arg;
    log_info(&rv->log, "stopping (%s); runs go on at the next start", strsignal(signo));
    rv->stopping = true;
    ev_stop(rv->ev);
}

static void on_reload(void *arg, struct ev_signal *s, int signo)
{
    (void)s;
    (void)signo;
    struct reeved *rv = arg;
    struct diags diags;
    struct buf text;
    struct err err = ERR_INIT;
    char dir[1024];
    diags_init(&diags);
    buf_init(&text, 1u << 20);
    if (str_copy(rv->house->dir, dir, sizeof(dir)) < 0 || reeved_load(rv, dir, &diags, &err) < 0) {
        diags_put(&diags, &text);
        log_error(&rv->log, "the policy set was not loaded, the one before stays: %s\n%.*s",
                  err.text, STR_FMT(buf_str(&text)));
    }
    buf_release(&text);
    diags_release(&diags);
}

static void on_housekeeping(void *arg, struct ev_timer *t)
{
    struct reeved *rv = arg;
    struct err err = ERR_INIT;
    int all = 0;
    for (size_t i = 0; i < rv->house->workflow_count; i++) {
        const struct workflow *w = &rv->house->workflows[i];
        int gone = store_retention(rv->store, w->name, reeved_now(rv) - w->retention_ms, 200, &err);
        if (gone < 0) {
            reeved_fatal(rv, &err);
            return;
        }
        int more = w->retention_bytes
                       ? store_retention_size(rv->store, w->name, w->retention_bytes, 200, &err)
                       : 0;
        if (more < 0) {
            reeved_fatal(rv, &err);
            return;
        }
        if (gone + more)
            log_info(&rv->log, "retention: %d runs of %.*s went for their age, %d for their size", gone,
                     STR_FMT(w->name), more);
        all += gone + more;
    }
    if (all && queue_count_bytes(rv, &err) < 0)
        reeved_fatal(rv, &err);
    if (store_retention_replays(rv->store, reeved_now(rv) - TRAVEL_REPLAY_KEEP_MS, 200, &err) < 0)
        reeved_fatal(rv, &err);
    ev_timer_set(t, HOUSEKEEPING_MS);
}

static int before_commit(void *arg, struct err *err)
{
    struct reeved *rv = arg;
    if (rv->schedule_now)
        runs_on_schedule(rv, rv->schedule); /* what this pass made startable starts in its transaction */
    if (rv->fatal.number) {
        *err = rv->fatal;
        return -err->number;
    }
    return runs_write_touched(rv, err);
}

static void on_commit(void *arg)
{
    helpers_tell_changes(arg);
}

static void on_spawn_lost(void *arg, struct spawner *s, const struct err *why)
{
    (void)s;
    struct reeved *rv = arg;
    struct err err = ERR_INIT;
    if (rv->stopping)
        return;
    err_set(&err, EPIPE, "reeve-spawn ended: %s",
            why && why->number ? why->text : "its channel closed");
    reeved_fatal(rv, &err); /* the privilege that it held cannot be had again */
}

/* ---- start-up, in order
 * -------------------------------------------------------------------------------------------- */

static int find_libexec(struct start *st, struct err *err)
{
    struct reeved *rv = &st->rv;
    char dir[900], probe[1100];
    struct stat sb;
    if (st->options.given[OPTION_libexec]) {
        snprintf(rv->libexec, sizeof(rv->libexec), "%s", st->options.text[OPTION_libexec]);
        return 0;
    }
    int e = file_program_dir(dir, sizeof(dir), err);
    if (e < 0)
        return e;
    snprintf(probe, sizeof(probe), "%s/reeve-spawn", dir);
    if (stat(probe, &sb) == 0)
        snprintf(rv->libexec, sizeof(rv->libexec), "%s", dir);
    else
        snprintf(rv->libexec, sizeof(rv->libexec), "%s/../libexec/reeve", dir);
    return 0;
}

/* One reeved a state directory. reeve-spawn inherits the lock, so a second one waits until all that
 * the first had started is dead: an old tool server must not act beside a new one. */
static int take_lock(struct start *st, struct err *err)
{
    const char *state = st->options.text[OPTION_state];
    char path[4200], absolute[PATH_MAX];
    int e = file_mkdirs(state, 0750, err);
    if (e < 0)
        return err_wrap(err, "state directory");
    if (!realpath(state, absolute))
        return err_set(err, ENOENT, "state directory %s cannot be found", state);
    snprintf(st->rv.state, sizeof(st->rv.state), "%s", absolute);
    snprintf(path, sizeof(path), "%s/reeved.lock", st->rv.state);
    st->lock = sys.open(AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (st->lock < 0)
        return err_sys(err, -st->lock, "open %s", path);
    for (int waited = 0; flock(st->lock, LOCK_EX | LOCK_NB) < 0; waited += 50) {
        if (waited >= LOCK_WAIT_MS)
            return err_set(err, EBUSY, "another reeved runs on %s (its lock is held)", state);
        usleep(50000);
    }
    return 0;
}

/* The lock is ours, so who still answers may be what a killed reeved left behind: its reeve-control, about to
 * see that its channel is gone. */
static int listen_control(struct start *st, struct err *err)
{
    int e;
    for (int waited = 0;; waited += 50) {
        e = sock_listen(st->options.text[OPTION_socket], 0666, &st->rv.control_listen, err);
        if (e != -EADDRINUSE || waited >= LOCK_WAIT_MS)
            return e;
        usleep(50000);
    }
}

static int start_spawn(struct start *st, struct err *err)
{
    char path[1100], base[32], level[16];
    int pair[2], pidfd = -1;
    pid_t pid;
    snprintf(path, sizeof(path), "%s/reeve-spawn", st->rv.libexec);
    snprintf(base, sizeof(base), "%" PRIu32, st->options.uid_base);
    snprintf(level, sizeof(level), "%s", st->options.text[OPTION_log_level]);
    const char *const argv[] = {"reeve-spawn", "--uid-base", base, NULL};
    const char *const env[] = {"PATH=/usr/bin:/bin", NULL};
    int e = sock_pair(pair, true, err);
    if (e < 0)
        return e;
    const int fds[] = {-1, -1, 2, pair[1], st->lock};
    const struct proc_spawn s = {
        .path = path, .argv = argv, .env = env, .fds = fds, .fd_count = ARRAY_LEN(fds)};
    e = proc_spawn(&s, &pid, &pidfd, err);
    fd_close(&pair[1]);
    fd_close(&pidfd); /* its channel tells when it ends */
    if (e < 0) {
        fd_close(&pair[0]);
        return err_wrap(err, "start %s", path);
    }
    st->spawn = pair[0];
    return 0;
}

/* The state directory belongs to the user that reeved becomes; control's group may look in. */
static int give_state(struct start *st, struct err *err)
{
    if (!st->is_root)
        return 0;
    int dir = open(st->options.text[OPTION_state], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || fchown(dir, st->uid, st->control) < 0 || fchmod(dir, 0750) < 0 ||
        fchown(st->lock, st->uid, st->uid) < 0) {
        fd_close(&dir);
        return err_set(err, EPERM, "give %s to user id %u", st->options.text[OPTION_state],
                       (unsigned)st->uid);
    }
    /* One that was put there by hand, out of a backup, still belongs to who did that. */
    int db = sys.open(dir, "reeve.db", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
    int e = db >= 0 && fchown(db, st->uid, st->control) < 0
                ? err_set(err, EPERM, "give %s/reeve.db to user id %u",
                          st->options.text[OPTION_state], (unsigned)st->uid)
                : 0;
    fd_close(&db);
    fd_close(&dir);
    return e;
}

static int read_policy(struct start *st, struct err *err)
{
    struct diags diags;
    struct buf text;
    diags_init(&diags);
    buf_init(&text, 4u << 20);
    int e = load_house(&st->rv, st->options.text[OPTION_policy], &diags, &st->rv.house, err);
    diags_put(&diags, &text);
    if (text.len)
        fwrite(text.ptr, 1, text.len, stderr);
    buf_release(&text);
    diags_release(&diags);
    return e < 0 ? err_wrap(err, "policy") : 0;
}

static int open_store(struct start *st, struct err *err)
{
    const struct store_options o = {.create = true,
                                    .check_integrity = st->options.given[OPTION_integrity],
                                    .mode = 0640,
                                    .group = st->is_root ? st->control : (gid_t)-1};
    int e = store_open(st->options.text[OPTION_state], &o, &st->rv.store, err);
    if (e == -EUCLEAN) {
        struct err why = *err;
        return err_set(err, EUCLEAN,
                       "store: %s/reeve.db is damaged: %.300s. Nothing was changed: keep the file, and "
                       "put a copy that `reeve backup` made in its place",
                       st->rv.state, why.text);
    }
    return e < 0 ? err_wrap(err, "store") : 0;
}

/* Runs' user ids begin at a random slot: what an earlier reeved, or another one on this host, left behind under
 * an id is not met by the next run at once. */
static int draw_slot(struct reeved *rv, struct err *err)
{
    uint32_t random;
    const struct clock *c = ev_clock(rv->ev);
    int e = c->random(c->arg, &random, sizeof(random));
    rv->next_uid_slot = random % (UID_SLOT_COUNT - UID_SLOT_RUNS);
    return e < 0 ? err_sys(err, -e, "draw a user id") : 0;
}

static int make_loop(struct start *st, struct err *err)
{
    struct reeved *rv = &st->rv;
    static const struct {
        int signo;
        ev_signal_fn *fn;
    } signals[] = {{SIGTERM, on_stop}, {SIGINT, on_stop}, {SIGHUP, on_reload}};
    int e = ev_new(&rv->ev, NULL, err);
    if (e >= 0)
        e = outbox_init(&rv->outbox, rv->ev, rv->store, err);
    for (size_t i = 0; e >= 0 && i < ARRAY_LEN(signals); i++)
        e = ev_signal_new(rv->ev, signals[i].signo, signals[i].fn, rv, &st->signals[i], err);
    if (e >= 0)
        e = ev_timer_new(rv->ev, runs_on_schedule, rv, &rv->schedule, err);
    if (e >= 0)
        e = ev_timer_new(rv->ev, on_housekeeping, rv, &rv->housekeeping, err);
    if (e >= 0)
        e = ev_timer_new(rv->ev, helpers_on_tell, rv, &rv->tell, err);
    if (e < 0)
        return e;
    rv->outbox.before_commit = before_commit;
    rv->outbox.on_commit = on_commit;
    rv->outbox.arg = rv;
    rv->started_ms = reeved_now(rv);
    if ((e = draw_slot(rv, err)) < 0)
        return e;
    ev_timer_set(rv->housekeeping, HOUSEKEEPING_MS / 10);
    const struct spawner_owner owner = {.on_lost = on_spawn_lost, .arg = rv};
    e = spawner_new(rv->ev, fd_take(&st->spawn), &owner, &rv->spawner, err);
    return e < 0 ? e : outbox_add(&rv->outbox, spawner_wire(rv->spawner), err);
}

static int make_helpers(struct reeved *rv, struct err *err)
{
    int e = helper_new(rv, &helpers_egress, &rv->egress, err);
    if (e >= 0)
        e = helper_new(rv, &helpers_control, &rv->control, err);
    if (e < 0)
        return e;
    helper_start(rv->egress);
    helper_start(rv->control);
    ready_set(rv);
    return 0;
}

static int go_on_from_store(struct reeved *rv, struct err *err)
{
    int e = spans_open(rv, err); /* before anything is compared with a time */
    if (e >= 0)
        e = keep_set(rv, rv->house, err);
    if (e >= 0)
        e = audit_note(rv, STR("reeve"), "reeved.start", STR("reeved"), STR(REEVE_VERSION), err);
    if (e >= 0)
        e = find_shadow(rv, err);
    if (e >= 0)
        e = release_install(rv, rv->house, err);
    if (e >= 0)
        e = switches_open(rv, err);
    if (e >= 0)
        e = queue_open(rv, err);
    if (e >= 0)
        e = runs_recover(rv, err);
    return e < 0 ? err_wrap(err, "recover") : 0;
}

static int start_up(struct start *st, struct err *err)
{
    struct reeved *rv = &st->rv;
    int e;
    st->is_root = geteuid() == 0;
    st->uid = st->is_root ? st->options.uid_base + UID_SLOT_REEVED : getuid();
    st->control = st->options.uid_base + UID_SLOT_CONTROL;
    if ((e = find_libexec(st, err)) < 0 ||
        (e = read_policy(st, err)) <
            0 || /* as who started us: files of root's are read once before root goes */
        (e = take_lock(st, err)) < 0 ||
        (e = listen_control(st, err)) < 0 || /* who may what: roles */
        (e = start_spawn(st, err)) <
            0 || /* while there is privilege to hand it, and nothing secret in memory */
        (e = give_state(st, err)) < 0 ||
        (e = confine_drop(st->uid, st->control, err)) < 0 || (e = proc_harden(err)) < 0 ||
        (e = open_store(st, err)) < 0 || /* the first file that it owns as itself */
        (e = make_loop(st, err)) < 0 ||
        (e = confine_filter(err)) < 0 || /* before the first foreign byte */
        (e = go_on_from_store(rv, err)) < 0 || (e = make_helpers(rv, err)) < 0)
        return e;
    return 0;
}

static int serve(struct start *st, struct err *err)
{
    struct reeved *rv = &st->rv;
    char hex[DIGEST_HEX];
    int e = start_up(st, err);
    if (e < 0)
        return e;
    digest_hex(&rv->house->digest, hex);
    log_info(&rv->log,
             "reeved %s: policy set %.12s from %.*s, %zu policies, %zu workflows, state in %s",
             REEVE_VERSION, hex, STR_FMT(rv->house->dir), rv->house->policy_count,
             rv->house->workflow_count, st->options.text[OPTION_state]);
    e = ev_run(rv->ev, err);
    if (e >= 0 && rv->outbox.failure.number) {
        *err = rv->outbox.failure;
        e = -err->number;
    }
    return e;
}

static int check_only(struct start *st)
{
    struct err err = ERR_INIT;
    if (read_policy(st, &err) < 0) {
        fprintf(stderr, "reeved: %s\n", err.text);
        return 1;
    }
    printf("%s: %zu policies, %zu workflows: ok\n", st->options.text[OPTION_policy],
           st->rv.house->policy_count, st->rv.house->workflow_count);
    return 0;
}

int main(int argc, char **argv)
{
    static struct start
        st; /* the one object of the process; too large for a stack frame to be polite */
    struct err err = ERR_INIT;
    st.lock = st.spawn = st.rv.control_listen = -1;
    st.rv.options = &st.options;
    if (options_parse(&st.options, argc, argv, &err) < 0) {
        fprintf(stderr, "reeved: %s\n", err.text);
        return 2;
    }
    if (st.options.given[OPTION_help]) {
        struct buf text;
        buf_init(&text, 65536);
        options_help(&text);
        fwrite(text.ptr, 1, text.len, stdout);
        buf_release(&text);
        return 0;
    }
    if (st.options.given[OPTION_version]) {
        puts("reeved " REEVE_VERSION);
        return 0;
    }
    if (st.options.given[OPTION_check])
        return check_only(&st);
    umask(027);
    (void)signal(SIGPIPE, SIG_IGN); /* a disposition, no handler: a peer that left is an EPIPE */
    log_init(&st.rv.log, "reeved", st.options.log_level);
    st.rv.log.json = st.options.given[OPTION_log_json];
    int e = serve(&st, &err);
    if (e < 0)
        log_error(&st.rv.log, "%s", err.text);
    copies_stop(&st.rv);
    store_close(st.rv.store);
    return e < 0 ? 1 : 0;
}
