/*
 * control.c: reeve-control's middle: reeved on one side, HTTP on the other. Trusts reeved; trusts
 * of a client only what the kernel says of it. Must never serve before reeved has told who may do
 * what, nor after reeved is gone.
 */
#include "supervisor/control/control.h"

#include "sandbox/os/fd.h"
#include "supervisor/control/exchange.h"
#include "supervisor/control/follow.h"

static const struct route ROUTES[] = {
#define ROUTE(method, path, role, query, body, handler) {method, path, role, query, body, handler},
#include "supervisor/control/routes.def"
#undef ROUTE
};

const struct route *control_routes(size_t *ret_count)
{
    *ret_count = ARRAY_LEN(ROUTES);
    return ROUTES;
}

/* ---- HTTP ------------------------------------------------------------------------------------ */

static unsigned rights_of(const struct control *c, const struct http_peer *peer)
{
    return roles_of(&c->roles, peer->cred.uid, peer->gids, peer->gid_count);
}

static bool is_privileged(void *arg, const struct http_peer *peer)
{
    return (rights_of(arg, peer) & ROLE_ADMIN) != 0;
}

static int find_route(struct exchange *x, struct err *err)
{
    struct request *r = x->request;
    const struct http_peer *peer = request_peer(r);
    unsigned rights = rights_of(x->control, peer);
    if (!rights) /* before anything else: a stranger learns nothing of the paths either */
        return err_set(err, EPERM, "user %u has no role here", (unsigned)peer->cred.uid);
    int res = route_find(ROUTES, ARRAY_LEN(ROUTES), request_method(r), request_target(r),
                         request_arena(r), &x->match, err);
    if (res >= 0 && !(rights & x->match.route->role))
        return err_set(err, EPERM, "%s %s needs the role %s, which user %u does not have",
                       x->match.route->method, x->match.route->pattern,
                       role_name(x->match.route->role), (unsigned)peer->cred.uid);
    return res;
}

static size_t on_head(void *arg, struct request *r)
{
    struct err err = ERR_INIT;
    struct exchange *x = arena_alloc(request_arena(r), sizeof(*x));
    if (!x)
        return 0; /* on_request answers */
    *x = (struct exchange){.control = arg, .request = r, .success = 200};
    request_set(r, x);
    int res = find_route(x, &err);
    if (res >= 0)
        return x->match.route->max_body;
    exchange_error(x, res, &err);
    return 0;
}

static void on_request(void *arg UNUSED, struct request *r)
{
    struct err err = ERR_INIT;
    struct exchange *x = request_get(r);
    if (!x) {
        struct buf none;
        buf_init(&none, 0);
        request_answer(r, &(struct answer){.status = 503, .content_type = "text/plain"}, &none);
        return;
    }
    int res = x->match.route->handler(x, &err);
    if (res < 0)
        exchange_error(x, res, &err);
}

static void on_done(void *arg UNUSED, struct request *r)
{
    struct exchange *x = request_get(r);
    if (!x)
        return;
    if (x->call)
        wire_call_drop(x->call);
    follow_free(x->follower);
}

/* ---- reeved ---------------------------------------------------------------------------------- */

static void lost(struct control *c, const struct err *why)
{
    c->options.on_lost(c->options.arg, why);
}

static int open_store(struct control *c, const struct json *params, struct err *err)
{
    struct str dir;
    if (c->view)
        return 0; /* no file is opened after the first time */
    int res = json_str_or(params, "stateDir", STR_NONE, &dir, err);
    if (res >= 0 && !c->state_dir && dir.len)
        c->state_dir = str_dup(dir);
    if (res < 0)
        return res;
    if (!c->state_dir)
        return err_set(err, EINVAL, "no state directory was named");
    return view_open(c->state_dir, &c->view, err);
}

static int start_serving(struct control *c, struct err *err)
{
    static const struct http_limits DEFAULT = HTTP_LIMITS_DEFAULT;
    struct http_owner owner = {is_privileged, on_head, on_request, on_done, c};
    int res = c->options.on_ready ? c->options.on_ready(c->options.arg, err) : 0;
    if (res < 0)
        return res;
    return http_new(c->ev, c->listen_fd, c->options.http ? c->options.http : &DEFAULT, &owner,
                    &c->http, err);
}

struct roles_change {
    const struct roles *before, *after;
};

static bool loses_rights(void *arg, const struct http_peer *peer)
{
    const struct roles_change *ch = arg;
    unsigned had = roles_of(ch->before, peer->cred.uid, peer->gids, peer->gid_count);
    return (had & ~roles_of(ch->after, peer->cred.uid, peer->gids, peer->gid_count)) != 0;
}

/* The first one opens the store and the door. A later one changes roles: who lost a right is cut,
 * so that it ends now, in streams too. */
static int on_config(void *ctx, struct wire *w UNUSED, const struct wire_message *m,
                     struct err *err)
{
    struct control *c = ctx;
    struct roles roles;
    int res = roles_parse(json_get(m->params, "roles"), &roles, err);
    if (res < 0)
        return res;
    if (c->http) /* a connection that keeps its rights, such as the one that asked for this, goes on
                  */
        http_drop_if(c->http, loses_rights, &(struct roles_change){&c->roles, &roles});
    roles_release(&c->roles);
    c->roles = roles;
    res = open_store(c, m->params, err);
    return res < 0 || c->http ? res : start_serving(c, err);
}

static int on_changed(void *ctx, struct wire *w UNUSED, const struct wire_message *m,
                      struct err *err UNUSED)
{
    follow_changed(ctx, json_get(m->params, "runs"));
    return 0;
}

static const struct wire_rule RULES[] = {
    {"control/config", WIRE_NOTIFICATION, 1, false, 1u << 20, on_config},
    {"control/changed", WIRE_NOTIFICATION, 1, false, 1u << 20, on_changed},
};

static void on_message(void *arg, struct wire *w, const struct wire_message *m)
{
    struct control *c = arg;
    struct err err = ERR_INIT;
    int64_t code = 0;
    const struct wire_rule *rule = wire_admit(RULES, ARRAY_LEN(RULES), m, 1, &c->seen, &code, &err);
    if (rule && rule->handler(c, w, m, &err) >= 0)
        return;
    if (m->kind == WIRE_REQUEST) {
        (void)wire_error(w, m->id, code ? code : WIRE_E_INTERNAL, "%s", err.text);
        return;
    }
    if (rule) { /* our own supervisor's configuration cannot be used: better none than half of one
                 */
        err_wrap(&err, "%s", rule->method);
        lost(c, &err);
    }
}

static void on_closed(void *arg, struct wire *w UNUSED, const struct err *why)
{
    lost(arg, why);
}

/* ---- life ------------------------------------------------------------------------------------ */

int control_new(struct ev *ev, const struct control_options *o, struct control **ret,
                struct err *err)
{
    FD_AUTO int listen_fd = o->listen_fd;
    FD_AUTO int wire_fd = o->wire_fd;
    struct control *c = calloc(1, sizeof(*c));
    if (!c)
        return err_set(err, ENOMEM, "control");
    *c = (struct control){.ev = ev, .log = o->log, .options = *o, .listen_fd = fd_take(&listen_fd)};
    int res = fd_set_nonblock(c->listen_fd, true, err);
    if (res >= 0 && o->state_dir && !(c->state_dir = str_dup(str_of(o->state_dir))))
        res = err_set(err, ENOMEM, "control");
    if (res >= 0)
        res = wire_new(ev, fd_take(&wire_fd), NULL, false,
                       &(struct wire_owner){on_message, on_closed, c}, &c->reeved, err);
    if (res < 0) {
        control_free(c);
        return res;
    }
    *ret = c;
    return 0;
}

void control_free(struct control *c)
{
    if (!c)
        return;
    http_free(c->http);
    wire_free(c->reeved);
    view_close(c->view);
    roles_release(&c->roles);
    fd_close(&c->listen_fd);
    free(c->state_dir);
    free(c);
}

unsigned control_connections(const struct control *c)
{
    return c->http ? http_connections(c->http) : 0;
}
