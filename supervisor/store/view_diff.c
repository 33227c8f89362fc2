/*
 * view_diff.c: two runs side by side: which steps are alike, and the first that is not. In
 * reeve-control. Bounded in steps, and so in the table that aligns them.
 */
#include "supervisor/store/view_impl.h"

#define ROW_BYTES ((size_t)256 << 20)

enum { DIFF_REQUEST = 1, DIFF_STATE = 2, DIFF_OUTCOME = 4 };

struct side {
    struct store_run run;
    struct store_step *steps;
    size_t count;
    bool cut;
};

struct pair { /* indices; SIZE_MAX: the other run has no such step */
    size_t a, b;
    unsigned differs;
    bool moved; /* asked for, but at another place: steps that go side by side */
};

struct diff {
    struct view *v;
    struct arena arena;
    struct side a, b;
    struct pair *pairs;
    size_t count;
    uint16_t *lengths; /* of the longest common rest, (a.count+1) x (b.count+1) */
};

/* ---- reading --------------------------------------------------------------------------------- */

struct reading {
    struct diff *d;
    struct side *side;
};

static int keep_step(void *arg, const void *row)
{
    struct reading *q = arg;
    struct store_step *st = &q->side->steps[q->side->count];
    if (q->side->count == VIEW_DIFF_STEPS) {
        q->side->cut = true;
        return 1;
    }
    *st = *(const struct store_step *)row;
    st->key = arena_str(&q->d->arena, st->key);
    st->reason = arena_str(&q->d->arena, st->reason);
    st->info = arena_str(&q->d->arena, st->info);
    st->request_text = arena_str(&q->d->arena, st->request_text);
    st->outcome_text = arena_str(&q->d->arena, st->outcome_text);
    if (!st->key.ptr || !st->reason.ptr || !st->info.ptr || !st->request_text.ptr ||
        !st->outcome_text.ptr)
        return -ENOMEM;
    q->side->count++;
    return 0;
}

static int read_side(struct diff *d, int64_t run, struct side *side, struct err *err)
{
    struct reading q = {d, side};
    int r = view_run_row(d->v, run, &d->arena, &side->run, err);
    if (r < 0)
        return r;
    side->steps = ARENA_ARRAY(&d->arena, VIEW_DIFF_STEPS, struct store_step);
    if (!side->steps)
        return err_sys(err, ENOMEM, "compare runs");
    struct each e = {.sql = SQL_STEPS,
                     .numbers = {ROW_ID(run, RUN_SEQ_MAX)},
                     .number_count = 1,
                     .after = ROW_ID(run, 0),
                     .batch = 256,
                     .row_bytes = sizeof(struct store_step),
                     .read = read_step,
                     .key = step_key,
                     .deliver = keep_step,
                     .arg = &q};
    r = each_row(&d->v->db, &e, err);
    return r == -ENOMEM ? err_sys(err, ENOMEM, "compare runs") : MIN(r, 0);
}

/* ---- aligning -------------------------------------------------------------------------------- */

static bool is_like(const struct store_step *a, const struct store_step *b)
{
    return a->kind == b->kind && str_eq(a->key, b->key);
}

static bool is_same_ask(const struct store_step *a, const struct store_step *b)
{
    return is_like(a, b) && digest_eq(&a->request, &b->request);
}

static uint16_t *cell(const struct diff *d, size_t i, size_t j)
{
    return &d->lengths[i * (d->b.count + 1) + j];
}

static int measure(struct diff *d, struct err *err)
{
    d->lengths = calloc((d->a.count + 1) * (d->b.count + 1), sizeof(*d->lengths));
    d->pairs = calloc(d->a.count + d->b.count + 1, sizeof(*d->pairs));
    if (!d->lengths || !d->pairs)
        return err_sys(err, ENOMEM, "compare runs");
    for (size_t i = d->a.count; i-- > 0;)
        for (size_t j = d->b.count; j-- > 0;)
            *cell(d, i, j) = is_same_ask(&d->a.steps[i], &d->b.steps[j])
                                 ? (uint16_t)(*cell(d, i + 1, j + 1) + 1)
                                 : MAX(*cell(d, i + 1, j), *cell(d, i, j + 1));
    return 0;
}

static void add_pair(struct diff *d, size_t a, size_t b, unsigned differs)
{
    d->pairs[d->count++] = (struct pair){a, b, differs, false};
}

/* Steps of both that ask the same at different places are one step each that moved. */
static void join_moved(struct diff *d)
{
    size_t kept = 0;
    for (size_t i = 0; i < d->count; i++) {
        struct pair *one = &d->pairs[i];
        for (size_t k = 0; one->a != SIZE_MAX && one->b == SIZE_MAX && k < d->count; k++) {
            struct pair *other = &d->pairs[k];
            if (other->a != SIZE_MAX || other->b == SIZE_MAX ||
                !is_same_ask(&d->a.steps[one->a], &d->b.steps[other->b]))
                continue;
            *one = (struct pair){one->a, other->b, 0, true};
            other->b = SIZE_MAX; /* now it stands for nothing */
        }
    }
    for (size_t i = 0; i < d->count; i++)
        if (d->pairs[i].a != SIZE_MAX || d->pairs[i].b != SIZE_MAX)
            d->pairs[kept++] = d->pairs[i];
    d->count = kept;
}

/* What lies between two common steps: like with like as long as both go on, then the rest of each.
 */
static void add_gap(struct diff *d, size_t a, size_t a_end, size_t b, size_t b_end)
{
    while (a < a_end && b < b_end && is_like(&d->a.steps[a], &d->b.steps[b]))
        add_pair(d, a++, b++, DIFF_REQUEST);
    while (a < a_end)
        add_pair(d, a++, SIZE_MAX, DIFF_REQUEST);
    while (b < b_end)
        add_pair(d, SIZE_MAX, b++, DIFF_REQUEST);
}

static void align(struct diff *d)
{
    size_t i = 0, j = 0, gap_a = 0, gap_b = 0;
    while (i < d->a.count && j < d->b.count) {
        if (is_same_ask(&d->a.steps[i], &d->b.steps[j])) {
            add_gap(d, gap_a, i, gap_b, j);
            add_pair(d, i++, j++, 0);
            gap_a = i;
            gap_b = j;
        } else if (*cell(d, i + 1, j) >= *cell(d, i, j + 1)) {
            i++;
        } else {
            j++;
        }
    }
    add_gap(d, gap_a, d->a.count, gap_b, d->b.count);
    join_moved(d);
}

static int read_text(struct diff *d, int64_t doc, struct str text, struct buf *out, struct err *err)
{
    if (doc != STORE_DOC_INLINE)
        return doc_read(&d->v->db, doc, out, err);
    buf_str_put(out, text);
    return buf_status(out) < 0 ? err_set(err, ENOMEM, "store: no memory for an outcome") : 0;
}

static int same_text(struct diff *d, int64_t a, struct str a_text, int64_t b, struct str b_text,
                     struct err *err)
{
    struct buf one, other;
    if (!a || !b || (a == b && a != STORE_DOC_INLINE))
        return a == b;
    buf_init(&one, ROW_BYTES);
    buf_init(&other, ROW_BYTES);
    int r = read_text(d, a, a_text, &one, err);
    if (r >= 0)
        r = read_text(d, b, b_text, &other, err);
    if (r >= 0)
        r = str_eq(buf_str(&one), buf_str(&other));
    buf_release(&one);
    buf_release(&other);
    return r;
}

static int compare(struct diff *d, struct err *err)
{
    for (size_t i = 0; i < d->count; i++) {
        struct pair *p = &d->pairs[i];
        if (p->a == SIZE_MAX || p->b == SIZE_MAX)
            continue;
        const struct store_step *a = &d->a.steps[p->a], *b = &d->b.steps[p->b];
        int same =
            same_text(d, a->outcome_doc, a->outcome_text, b->outcome_doc, b->outcome_text, err);
        if (same < 0)
            return same;
        if (a->state != b->state)
            p->differs |= DIFF_STATE;
        if (!same || a->outcome_error != b->outcome_error)
            p->differs |= DIFF_OUTCOME;
    }
    return 0;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void put_seq(struct jout *out, const char *name, const struct side *side, size_t i)
{
    out_id(out, name, i == SIZE_MAX ? 0 : side->steps[i].seq);
}

static void put_pair(const struct diff *d, const struct pair *p, struct jout *out)
{
    static const char *const NAMES[] = {"request", "state", "outcome"};
    const struct store_step *st = p->a == SIZE_MAX ? &d->b.steps[p->b] : &d->a.steps[p->a];
    jout_object(out);
    put_seq(out, "a", &d->a, p->a);
    put_seq(out, "b", &d->b, p->b);
    jout_m_cstr(out, "kind", step_kind_name(st->kind));
    out_text(out, "key", st->key);
    jout_m_bool(out, "same", !p->differs);
    jout_m_bool(out, "moved", p->moved);
    jout_name(out, "differs");
    jout_array(out);
    for (unsigned i = 0; i < ARRAY_LEN(NAMES); i++)
        if (p->differs & (1u << i))
            jout_cstr(out, NAMES[i]);
    jout_array_end(out);
    jout_object_end(out);
}

static int put_step(const struct diff *d, const char *name, const struct side *side, size_t i,
                    struct jout *out, struct err *err)
{
    jout_name(out, name);
    if (i == SIZE_MAX) {
        jout_null(out);
        return 0;
    }
    const struct store_step *st = &side->steps[i];
    jout_object(out);
    step_members(d->v, st, out);
    int r = out_step_text(d->v, out, "request", st->request_doc, st->request_text, false, err);
    if (r >= 0)
        r = out_step_text(d->v, out, "outcome", st->outcome_doc, st->outcome_text, false, err);
    jout_object_end(out);
    return r;
}

static int put_first(const struct diff *d, struct jout *out, bool *ret_same, struct err *err)
{
    size_t i = 0;
    while (i < d->count && !d->pairs[i].differs)
        i++;
    *ret_same = i == d->count;
    jout_name(out, "first");
    if (*ret_same) {
        jout_null(out);
        return 0;
    }
    jout_object(out);
    jout_m_i64(out, "index", (int64_t)i);
    int r = put_step(d, "a", &d->a, d->pairs[i].a, out, err);
    if (r >= 0)
        r = put_step(d, "b", &d->b, d->pairs[i].b, out, err);
    jout_object_end(out);
    return r;
}

static int put_run(const struct diff *d, const char *name, const struct side *side,
                   struct jout *out, struct err *err)
{
    jout_name(out, name);
    jout_object(out);
    int r = run_members(d->v, &side->run, out, err);
    jout_object_end(out);
    return r;
}

static int write_diff(struct diff *d, struct jout *out, struct err *err)
{
    bool same = false;
    /* A replay's result is its report. */
    bool is_report = d->a.run.mode == RUN_REPLAY || d->b.run.mode == RUN_REPLAY;
    int same_result =
        is_report ? 1
                  : same_text(d, d->a.run.result_doc, STR_NONE, d->b.run.result_doc, STR_NONE, err);
    if (same_result < 0)
        return same_result;
    jout_object(out);
    int r = put_run(d, "a", &d->a, out, err);
    if (r >= 0)
        r = put_run(d, "b", &d->b, out, err);
    jout_name(out, "steps");
    jout_array(out);
    for (size_t i = 0; i < d->count; i++)
        put_pair(d, &d->pairs[i], out);
    jout_array_end(out);
    if (r >= 0)
        r = put_first(d, out, &same, err);
    jout_m_bool(out, "sameResult", same_result > 0);
    jout_m_bool(out, "same", same && same_result > 0 && d->a.run.state == d->b.run.state);
    jout_m_bool(out, "cut", d->a.cut || d->b.cut);
    jout_object_end(out);
    return r;
}

int view_diff(struct view *v, int64_t a, int64_t b, struct jout *out, struct err *err)
{
    struct diff d = {.v = v};
    arena_init(&d.arena, ROW_BYTES);
    int r = view_begin(v, err);
    if (r >= 0)
        r = read_side(&d, a, &d.a, err);
    if (r >= 0)
        r = read_side(&d, b, &d.b, err);
    if (r >= 0)
        r = measure(&d, err);
    if (r >= 0) {
        align(&d);
        r = compare(&d, err);
    }
    if (r >= 0)
        r = write_diff(&d, out, err);
    free(d.pairs);
    free(d.lengths);
    arena_release(&d.arena);
    return view_end(v, r);
}
