/*
 * serve_read.c: the routes that read. Runs in reeve-control on the store's read-only view; one
 * short read transaction a request; must never change anything.
 */
#include "supervisor/control/exchange.h"

#define DAY_MS 86400000

struct reading {
    struct exchange *x;
    struct buf body;
    struct jout j;
};

static int begin(struct reading *r, struct exchange *x, struct err *err)
{
    if (!x->control->view)
        return err_set(err, EBUSY, "the store cannot be read now: reeved has not opened it yet");
    r->x = x;
    buf_init(&r->body, ANSWER_MAX_BYTES);
    jout_begin(&r->j, &r->body);
    return 0;
}

/* `res` is what the view said. */
static int end(struct reading *r, int res, struct err *err)
{
    if (res >= 0)
        res = jout_end(&r->j);
    if (res == -EMSGSIZE)
        res = err_set(err, E2BIG, "the answer is over %u bytes: ask for less", ANSWER_MAX_BYTES);
    else if (res < 0 && !err->number)
        res = err_sys(err, -res, "write the answer");
    if (res < 0) {
        buf_release(&r->body);
        return res;
    }
    buf_char(&r->body, '\n');
    exchange_json(r->x, 200, &r->body);
    return 0;
}

static int limit_of(const struct exchange *x, int *ret, struct err *err)
{
    int64_t limit;
    int res = route_param_i64(&x->match, "limit", 1, VIEW_LIMIT_MAX, 0, &limit, err);
    *ret = (int)limit;
    return res;
}

int serve_workflows(struct exchange *x, struct err *err)
{
    struct reading r;
    int res = begin(&r, x, err);
    return res < 0 ? res : end(&r, view_workflows(x->control->view, &r.j, err), err);
}

int serve_versions(struct exchange *x, struct err *err)
{
    struct reading r;
    int res = begin(&r, x, err);
    struct str workflow = route_param(&x->match, "workflow");
    return res < 0 ? res : end(&r, view_versions(x->control->view, workflow, &r.j, err), err);
}

int serve_version(struct exchange *x, struct err *err)
{
    struct reading r;
    int res = begin(&r, x, err);
    struct str workflow = route_param(&x->match, "workflow");
    struct str version = route_param(&x->match, "version");
    if (res < 0)
        return res;
    return end(&r, view_version(x->control->view, workflow, version, &r.j, err), err);
}

int serve_switches(struct exchange *x, struct err *err)
{
    struct reading r;
    int res = begin(&r, x, err);
    return res < 0 ? res : end(&r, view_switches(x->control->view, &r.j, err), err);
}

int serve_runs(struct exchange *x, struct err *err)
{
    struct reading r;
    struct view_runs f = {
        .state = route_param(&x->match, "state"),
        .wait = route_param(&x->match, "wait"),
        .workflow = route_param(&x->match, "workflow"),
        .tenant = route_param(&x->match, "tenant"),
        .cursor = route_param(&x->match, "cursor"),
    };
    int res = limit_of(x, &f.limit, err);
    if (res >= 0)
        res = begin(&r, x, err);
    return res < 0 ? res : end(&r, view_runs(x->control->view, &f, &r.j, err), err);
}

int serve_run(struct exchange *x, struct err *err)
{
    struct reading r;
    int res = begin(&r, x, err);
    return res < 0 ? res : end(&r, view_run(x->control->view, x->match.ids[0], &r.j, err), err);
}

int serve_steps(struct exchange *x, struct err *err)
{
    struct reading r;
    int64_t after;
    int limit;
    int res = limit_of(x, &limit, err);
    if (res >= 0)
        res = route_param_i64(&x->match, "after", 0, INT64_MAX, 0, &after, err);
    if (res >= 0)
        res = begin(&r, x, err);
    if (res < 0)
        return res;
    return end(&r, view_steps(x->control->view, x->match.ids[0], after, limit, &r.j, err), err);
}

int serve_step(struct exchange *x, struct err *err)
{
    struct reading r;
    int64_t whole;
    int res = route_param_i64(&x->match, "whole", 0, 1, 0, &whole, err);
    if (res >= 0)
        res = begin(&r, x, err);
    if (res < 0)
        return res;
    const int64_t *ids = x->match.ids;
    return end(&r, view_step(x->control->view, ids[0], ids[1], whole != 0, &r.j, err), err);
}

int serve_explain(struct exchange *x, struct err *err)
{
    struct reading r;
    int res = begin(&r, x, err);
    const int64_t *ids = x->match.ids;
    return res < 0 ? res : end(&r, view_explain(x->control->view, ids[0], ids[1], &r.j, err), err);
}

int serve_trace(struct exchange *x, struct err *err)
{
    struct reading r;
    int res = begin(&r, x, err);
    return res < 0 ? res : end(&r, view_trace(x->control->view, x->match.ids[0], &r.j, err), err);
}

int serve_diff(struct exchange *x, struct err *err)
{
    struct reading r;
    int res = begin(&r, x, err);
    const int64_t *ids = x->match.ids;
    return res < 0 ? res : end(&r, view_diff(x->control->view, ids[0], ids[1], &r.j, err), err);
}

int serve_approvals(struct exchange *x, struct err *err)
{
    struct reading r;
    struct view_approvals f = {
        .state = route_param(&x->match, "state"),
        .cursor = route_param(&x->match, "cursor"),
    };
    int res = limit_of(x, &f.limit, err);
    if (res >= 0)
        res = route_param_i64(&x->match, "run", 1, INT64_MAX, 0, &f.run, err);
    if (res >= 0)
        res = begin(&r, x, err);
    return res < 0 ? res : end(&r, view_approvals(x->control->view, &f, &r.j, err), err);
}

int serve_approval(struct exchange *x, struct err *err)
{
    struct reading r;
    int res = begin(&r, x, err);
    return res < 0 ? res
                   : end(&r, view_approval(x->control->view, x->match.ids[0], &r.j, err), err);
}

int serve_audit(struct exchange *x, struct err *err)
{
    struct reading r;
    int64_t after = 0;
    int limit = 0;
    int res = limit_of(x, &limit, err);
    if (res >= 0)
        res = route_param_i64(&x->match, "after", 0, INT64_MAX, 0, &after, err);
    if (res >= 0)
        res = begin(&r, x, err);
    return res < 0 ? res : end(&r, view_audit(x->control->view, after, limit, &r.j, err), err);
}

int serve_usage(struct exchange *x, struct err *err)
{
    struct reading r;
    int64_t days;
    int res = route_param_i64(&x->match, "days", 1, 36500, 30, &days, err);
    if (res >= 0)
        res = begin(&r, x, err);
    if (res < 0)
        return res;
    int64_t from = ev_unix_ms(x->control->ev) / DAY_MS - days + 1;
    struct str tenant = route_param(&x->match, "tenant");
    return end(&r, view_usage(x->control->view, tenant, from, &r.j, err), err);
}

/* since: ms since 1970. */
int serve_decisions(struct exchange *x, struct err *err)
{
    struct reading r;
    int64_t after = 0, since = 0;
    int limit = 0;
    int res = limit_of(x, &limit, err);
    if (res >= 0)
        res = route_param_i64(&x->match, "after", 0, INT64_MAX, 0, &after, err);
    if (res >= 0)
        res = route_param_i64(&x->match, "since", 0, INT64_MAX, 0, &since, err);
    if (res >= 0)
        res = begin(&r, x, err);
    return res < 0 ? res : end(&r, view_decisions(x->control->view, since, after, limit, &r.j, err), err);
}

int serve_policy(struct exchange *x, struct err *err)
{
    struct reading r;
    int res = begin(&r, x, err);
    return res < 0 ? res
                   : end(&r, view_policy(x->control->view, route_param(&x->match, "digest"), &r.j, err), err);
}

int serve_shadow(struct exchange *x, struct err *err)
{
    struct reading r;
    int64_t since = 0;
    int res = route_param_i64(&x->match, "since", 0, INT64_MAX, 0, &since, err);
    if (res >= 0)
        res = begin(&r, x, err);
    return res < 0 ? res : end(&r, view_shadow(x->control->view, since, &r.j, err), err);
}
