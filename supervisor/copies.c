/*
 * copies.c: see copies.h. Runs in reeved.
 */
#include "supervisor/copies.h"

#include "supervisor/audit.h"
#include "supervisor/helper.h"

#define PAGES    64 /* a piece: 256 KiB, well under a millisecond */
#define PAUSE_MS 1  /* between pieces: workers want the processor, too */

struct copies {
    struct reeved *rv;
    struct backup *backup;
    struct ev_timer *timer;
    char file[1024], who[80];
    size_t id_len;
    char id[];
};

void copies_stop(struct reeved *rv)
{
    struct copies *k = rv->copies;
    rv->copies = NULL;
    if (!k)
        return;
    store_backup_free(k->backup);
    ev_timer_free(k->timer);
    free(k);
}

static void tell_failed(struct copies *k, const struct err *why)
{
    struct err err = ERR_INIT;
    struct wire *to = helper_wire(k->rv->control);
    struct buf text;
    struct jout j;
    buf_init(&text, 4096);
    jout_begin(&j, &text);
    jout_object(&j);
    jout_m_i64(&j, "code", why->number == EEXIST ? WIRE_E_CONFLICT : WIRE_E_INTERNAL);
    jout_m_cstr(&j, "message", why->text);
    jout_object_end(&j);
    log_error(&k->rv->log, "%s", why->text);
    if (to && jout_end(&j) >= 0)
        (void)wire_error_raw(to, (struct str){k->id, k->id_len}, buf_str(&text), &err);
    buf_release(&text);
}

/* The audit record says that it was made; whoever asked hears after that is on disk. */
static int tell_done(struct copies *k, struct err *err)
{
    struct wire *to = helper_wire(k->rv->control);
    struct store_stats st;
    struct buf text;
    struct jout j;
    int e = audit_note(k->rv, str_of(k->who), "store.backup", str_of(k->file), STR(""), err);
    if (e < 0 || !to)
        return e;
    store_stats(k->rv->store, &st);
    buf_init(&text, 4096);
    jout_begin(&j, &text);
    jout_object(&j);
    jout_m_cstr(&j, "file", k->file);
    jout_m_i64(&j, "bytes", (int64_t)st.file_bytes);
    jout_object_end(&j);
    e = jout_end(&j);
    e = e < 0 ? err_sys(err, -e, "answer")
              : wire_result_raw(to, (struct str){k->id, k->id_len}, buf_str(&text), err);
    buf_release(&text);
    return e;
}

static void on_piece(void *arg, struct ev_timer *t)
{
    struct copies *k = arg;
    struct reeved *rv = k->rv;
    struct err err = ERR_INIT;
    int e = store_backup_step(k->backup, PAGES, &err);
    if (e > 0) {
        (void)ev_timer_set(t, PAUSE_MS);
        return;
    }
    if (e < 0)
        tell_failed(k, &err);
    else if (tell_done(k, &err) < 0)
        reeved_fatal(rv, &err);
    else
        log_info(&rv->log, "the store was copied to %s", k->file);
    copies_stop(rv);
}

static int begin(struct caller *c, struct str file, struct err *err)
{
    struct copies *k = calloc(1, sizeof(*k) + c->id->raw.len);
    if (!k)
        return err_sys(err, ENOMEM, "backup");
    k->rv = c->rv;
    k->id_len = c->id->raw.len;
    memcpy(k->id, c->id->raw.ptr, k->id_len);
    snprintf(k->who, sizeof(k->who), "%s", c->name);
    c->rv->copies = k;
    int e = 0;
    if (str_copy(file, k->file, sizeof(k->file)) < 0 || k->file[0] != '/')
        e = err_set(err, EINVAL, "file: expected an absolute path of up to 1023 bytes");
    if (e >= 0)
        e = ev_timer_new(c->rv->ev, on_piece, k, &k->timer, err);
    if (e >= 0)
        e = store_backup_begin(c->rv->store, k->file, &k->backup, err);
    if (e >= 0)
        e = ev_timer_set(k->timer, 0);
    if (e < 0)
        copies_stop(c->rv);
    return e;
}

int copies_begin(struct caller *c, struct err *err)
{
    struct str file;
    if (json_want_str(c->params, "file", &file, err) < 0)
        return caller_refuse(c, -EINVAL, err);
    if (c->rv->copies) {
        err_set(err, EBUSY, "a backup to %s is under way", c->rv->copies->file);
        return caller_busy(c, 1000, err);
    }
    int e = begin(c, file, err);
    return e < 0 ? caller_failed(c, e, err) : 0;
}
