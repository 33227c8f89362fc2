/*
 * journal.c: see journal.h. Runs in reeved. The digests come from our own canonical form; keys are
 * foreign text and only ever compared.
 */
#include "supervisor/journal.h"

#define WAITERS_MAX 64

void journal_init(struct journal *j, struct store *store, int64_t run)
{
    *j = (struct journal){.store = store, .run = run};
}

static void step_free(struct step *s)
{
    step_drop_waiters(s);
    free((void *)(uintptr_t)s->rec.key.ptr);
    free((void *)(uintptr_t)s->rec.reason.ptr);
    free((void *)(uintptr_t)s->rec.info.ptr);
    free((void *)(uintptr_t)s->rec.request_text.ptr);
    free((void *)(uintptr_t)s->rec.outcome_text.ptr);
    free(s->request);
    free(s);
}

void journal_release(struct journal *j)
{
    for (size_t i = 0; i < j->count; i++)
        step_free(j->steps[i]);
    free(j->steps);
    free(j->buckets);
    *j = (struct journal){.store = j->store, .run = j->run};
}

int step_set_text(struct str *field, struct str text)
{
    char *copy = NULL;
    if (text.len && !(copy = str_dup(text)))
        return -ENOMEM;
    free((void *)(uintptr_t)field->ptr);
    *field = (struct str){copy, copy ? text.len : 0};
    return 0;
}

int step_set_outcome(struct journal *j, struct step *s, struct str text, struct err *err)
{
    struct str in_row;
    int r = store_text_put(j->store, text, &s->rec.outcome_doc, &in_row, err);
    if (r >= 0 && step_set_text(&s->rec.outcome_text, in_row) < 0)
        r = err_sys(err, ENOMEM, "run %" PRId64 " step %" PRId64, j->run, s->rec.seq);
    return r;
}

void step_drop_outcome(struct step *s)
{
    s->rec.outcome_doc = 0;
    free((void *)(uintptr_t)s->rec.outcome_text.ptr);
    s->rec.outcome_text = STR_NONE;
}

int step_set_request(struct step *s, struct str text)
{
    char *copy = str_dup(text);
    if (!copy)
        return -ENOMEM;
    free(s->request);
    s->request = copy;
    s->request_len = text.len;
    return 0;
}

int step_wait(struct step *s, struct str id_raw)
{
    size_t n = 0;
    for (const struct waiter *w = s->waiters; w; w = w->next)
        n++;
    if (n >= WAITERS_MAX)
        return -E2BIG;
    struct waiter *w = malloc(sizeof(*w) + id_raw.len);
    if (!w)
        return -ENOMEM;
    w->next = s->waiters;
    w->id_len = id_raw.len;
    memcpy(w->id, id_raw.ptr, id_raw.len);
    s->waiters = w;
    return 0;
}

void step_drop_waiters(struct step *s)
{
    for (struct waiter *w = s->waiters, *next; w; w = next) {
        next = w->next;
        free(w);
    }
    s->waiters = NULL;
}

bool step_is_settled(const struct step *s)
{
    switch (s->rec.state) {
    case STEP_COMMITTED:
    case STEP_DENIED:
    case STEP_FAILED:
        return s->rec.outcome_doc !=
               0; /* a failed step whose outcome was withdrawn is asked again */
    default:
        return false;
    }
}

/* ---- buckets: chains by digest, each in rising seq --------------------------------------------
 */

static size_t bucket_of(const struct journal *j, const struct digest *d)
{
    uint64_t h;
    memcpy(&h, d->bytes, sizeof(h)); /* SHA-256: any eight bytes will do */
    return (size_t)(h % j->bucket_count);
}

static void bucket_add(struct journal *j, struct step *s)
{
    struct step **at = &j->buckets[bucket_of(j, &s->rec.request)];
    while (*at)
        at = &(*at)->next_same;
    s->next_same = NULL;
    *at = s;
}

static int grow(struct journal *j)
{
    if (j->count < j->cap)
        return 0;
    size_t cap = j->cap ? 2 * j->cap : 16;
    struct step **steps = reallocarray(j->steps, cap, sizeof(*steps));
    if (!steps)
        return -ENOMEM;
    j->steps = steps;
    j->cap = cap;
    struct step **buckets = calloc(2 * cap, sizeof(struct step *));
    if (!buckets)
        return -ENOMEM;
    free(j->buckets);
    j->buckets = buckets;
    j->bucket_count = 2 * cap;
    for (size_t i = 0; i < j->count; i++)
        bucket_add(j, j->steps[i]);
    return 0;
}

static int own_texts(struct store_step *own, const struct store_step *rec)
{
    static const size_t texts[] = {
        offsetof(struct store_step, key), offsetof(struct store_step, reason),
        offsetof(struct store_step, info), offsetof(struct store_step, request_text),
        offsetof(struct store_step, outcome_text)};
    int r = 0;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        *(struct str *)((char *)own + texts[i]) = STR_NONE;
    for (size_t i = 0; i < ARRAY_LEN(texts) && r >= 0; i++)
        r = step_set_text((struct str *)((char *)own + texts[i]),
                          *(const struct str *)((const char *)rec + texts[i]));
    return r;
}

static int add(struct journal *j, const struct store_step *rec, struct step **ret)
{
    struct step *s = calloc(1, sizeof(*s));
    if (!s || grow(j) < 0) {
        free(s);
        return -ENOMEM;
    }
    s->rec = *rec;
    if (own_texts(&s->rec, rec) < 0) {
        step_free(s);
        return -ENOMEM;
    }
    j->steps[j->count++] = s;
    bucket_add(j, s);
    *ret = s;
    return 0;
}

static int on_loaded(void *arg, const struct store_step *rec)
{
    struct step *s;
    return add(arg, rec, &s);
}

int journal_load(struct journal *j, int64_t after_seq, struct err *err)
{
    journal_release(j);
    int r = store_steps(j->store, j->run, after_seq, on_loaded, j, err);
    if (r == -ENOMEM)
        return err_sys(err, ENOMEM, "load the journal of run %" PRId64, j->run);
    j->unmatched = j->count;
    j->delivered = 0;
    return r;
}

static bool same(const struct step *s, enum step_kind kind, struct str key, const struct digest *d)
{
    return s->rec.kind == kind && digest_eq(&s->rec.request, d) && str_eq(s->rec.key, key);
}

struct step *journal_match(struct journal *j, enum step_kind kind, struct str key,
                           const struct digest *request)
{
    if (!j->count)
        return NULL;
    for (struct step *s = j->buckets[bucket_of(j, request)]; s; s = s->next_same)
        if (!s->matched && same(s, kind, key, request)) {
            s->matched = true;
            j->unmatched--;
            return s;
        }
    return NULL;
}

const struct step *journal_first_unmatched(const struct journal *j)
{
    for (size_t i = 0; i < j->count; i++)
        if (!j->steps[i]->matched)
            return j->steps[i];
    return NULL;
}

static int append(struct journal *j, const struct store_step *rec, bool later, struct step **ret,
                  struct err *err)
{
    struct store_step full = *rec;
    full.run = j->run;
    full.occurrence = 1;
    if (j->count)
        for (struct step *s = j->buckets[bucket_of(j, &rec->request)]; s; s = s->next_same)
            if (same(s, rec->kind, rec->key, &rec->request))
                full.occurrence = s->rec.occurrence + 1;
    int r = later ? 0 : store_step_add(j->store, &full, err);
    if (r < 0)
        return r;
    if (add(j, &full, ret) < 0)
        return err_sys(err, ENOMEM, "add a step to run %" PRId64, j->run);
    (*ret)->matched = true;
    (*ret)->unwritten = later;
    j->unwritten += later;
    return 0;
}

int journal_append(struct journal *j, const struct store_step *rec, struct step **ret,
                   struct err *err)
{
    return append(j, rec, false, ret, err);
}

int journal_append_later(struct journal *j, const struct store_step *rec, struct step **ret,
                         struct err *err)
{
    return append(j, rec, true, ret, err);
}

static int set_request_text(struct journal *j, struct step *s, struct err *err)
{
    struct str in_row;
    int r = store_text_put(j->store, (struct str){s->request, s->request_len}, &s->rec.request_doc,
                           &in_row, err);
    if (r >= 0 && step_set_text(&s->rec.request_text, in_row) < 0)
        r = err_sys(err, ENOMEM, "run %" PRId64 " step %" PRId64, j->run, s->rec.seq);
    return r;
}

int journal_save(struct journal *j, struct step *s, struct err *err)
{
    int r = 0;
    if (!s->unwritten)
        return store_step_update(j->store, &s->rec, err);
    if (!s->rec.request_doc && s->request)
        r = set_request_text(j, s, err);
    if (r >= 0)
        r = store_step_add(j->store, &s->rec, err);
    if (r < 0)
        return r;
    s->unwritten = false;
    j->unwritten--;
    return 0;
}

int journal_write_out(struct journal *j, struct err *err)
{
    int r = 0;
    for (size_t i = j->count; r >= 0 && j->unwritten > 0 && i > 0; i--)
        if (j->steps[i - 1]->unwritten)
            r = journal_save(j, j->steps[i - 1], err);
    return r;
}

size_t journal_first_busy(struct journal *j)
{
    while (j->quiet < j->count) {
        const struct step *s = j->steps[j->quiet];
        if (!step_is_settled(s) || s->waiters || s->live)
            break;
        j->quiet++;
    }
    return j->quiet;
}

struct step *journal_find(struct journal *j, int64_t seq)
{
    size_t lo = 0, hi = j->count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (j->steps[mid]->rec.seq < seq)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < j->count && j->steps[lo]->rec.seq == seq ? j->steps[lo] : NULL;
}

void journal_forget(struct journal *j, int64_t up_to_seq)
{
    size_t kept = 0;
    j->quiet = 0;
    for (size_t i = 0; i < j->count; i++) {
        struct step *s = j->steps[i];
        if (s->rec.seq <= up_to_seq && step_is_settled(s) && s->matched && !s->live && !s->waiters)
            step_free(s);
        else
            j->steps[kept++] = s;
    }
    j->count = kept;
    if (!j->bucket_count)
        return;
    memset(j->buckets, 0, j->bucket_count * sizeof(*j->buckets));
    for (size_t i = 0; i < kept; i++)
        bucket_add(j, j->steps[i]);
}
