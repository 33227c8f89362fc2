/*
 * door_order.c: what people say about order: stop and go, queues. Runs in reeved, behind door.c.
 */
#include "supervisor/access.h"
#include "supervisor/audit.h"
#include "supervisor/caller.h"
#include "supervisor/queue.h"
#include "supervisor/ready.h"
#include "supervisor/release.h"
#include "supervisor/switches.h"

/* Operators stop and let go a workflow; what reaches over all workflows is the admins'. */
static int check_right(const struct caller *c, enum switch_scope scope, struct err *err)
{
    if (scope == SWITCH_WORKFLOW ||
        access_has_role(c->rv, (uid_t)c->uid, c->gids, c->gid_count, ROLE_ADMIN))
        return 0;
    return err_set(err, EPERM, "to stop or let go %s needs the role admin, which %s does not have",
                   scope == SWITCH_ALL ? "everything" : "a tenant", c->name);
}

static int read_scope(const struct caller *c, enum switch_scope *ret, struct str *ret_name,
                      struct err *err)
{
    struct str scope;
    if (json_want_str(c->params, "scope", &scope, err) < 0 ||
        json_str_or(c->params, "name", STR_NONE, ret_name, err) < 0)
        return -EINVAL;
    for (int i = SWITCH_WORKFLOW; i < SWITCH_SCOPE_COUNT; i++)
        if (str_is(scope, switch_scope_name((enum switch_scope)i))) {
            *ret = (enum switch_scope)i;
            return check_right(c, *ret, err);
        }
    return err_set(err, EINVAL, "scope: expected workflow, tenant or all, found \"%.*s\"",
                   STR_FMT(str_slice(scope, 0, 64)));
}

static int put_switches(const struct caller *c, struct err *err)
{
    struct wire_out o;
    wire_result(c->w, &o, c->id);
    switches_put(c->rv, &o.j);
    return wire_end(c->w, &o, err);
}

int door_stop(struct caller *c, struct err *err)
{
    struct store_switch w = {.state = SWITCH_PAUSED, .who = str_of(c->name)};
    struct str state, why;
    struct buf shown;
    int e = read_scope(c, &w.scope, &w.name, err);
    if (e >= 0 && (json_str_or(c->params, "state", STR("paused"), &state, err) < 0 ||
                   json_str_or(c->params, "reason", STR_NONE, &why, err) < 0))
        e = -EINVAL;
    if (e >= 0 && str_is(state, "killed"))
        w.state = SWITCH_KILLED;
    else if (e >= 0 && !str_is(state, "paused"))
        e = err_set(err, EINVAL, "state: expected paused or killed");
    if (e < 0)
        return caller_refuse(c, e, err);
    buf_init(&shown, 1024);
    utf8_put_visible(&shown, why, 240);
    w.why = buf_str(&shown);
    e = switches_stop(c->rv, &w, err);
    buf_release(&shown);
    return e < 0 ? caller_failed(c, e, err) : put_switches(c, err);
}

int door_go(struct caller *c, struct err *err)
{
    enum switch_scope scope;
    struct str name;
    int e = read_scope(c, &scope, &name, err);
    if (e < 0)
        return caller_refuse(c, e, err);
    e = switches_go(c->rv, scope, name, str_of(c->name), err);
    return e < 0 ? caller_failed(c, e, err) : put_switches(c, err);
}

int door_queue(struct caller *c, struct err *err)
{
    struct buf text;
    struct jout j;
    buf_init(&text, 8u << 20);
    jout_begin(&j, &text);
    jout_object(&j);
    int e = queue_put(c->rv, &j, err);
    jout_object_end(&j);
    if (e >= 0 && (e = jout_end(&j)) < 0)
        err_sys(err, -e, "write the queues");
    if (e < 0) {
        buf_release(&text);
        return caller_failed(c, e, err);
    }
    e = wire_result_raw(c->w, c->id->raw, buf_str(&text), err);
    buf_release(&text);
    return e;
}

/* Without a version: back to the files' own. */
int door_rollback(struct caller *c, struct err *err)
{
    struct str workflow, version;
    struct digest d;
    struct wire_out o;
    char hex[DIGEST_HEX];
    if (json_want_str(c->params, "workflow", &workflow, err) < 0 ||
        json_str_or(c->params, "version", STR_NONE, &version, err) < 0)
        return caller_refuse(c, -EINVAL, err);
    int e = version.len ? release_rollback(c->rv, workflow, version, str_of(c->name), &d, err)
                        : release_latest(c->rv, workflow, str_of(c->name), &d, err);
    if (e < 0)
        return caller_failed(c, e, err);
    ready_set(c->rv);
    digest_hex(&d, hex);
    wire_result(c->w, &o, c->id);
    jout_m_str(&o.j, "workflow", workflow);
    jout_m_cstr(&o.j, "version", hex);
    return wire_end(c->w, &o, err);
}
