/*
 * route.c: request line -> row. Runs in reeve-control; trusts nothing of the target; must never
 * guess at a path that is written in another way.
 */
#include "supervisor/control/route.h"

#include "policy/text/num.h"
#include "policy/text/utf8.h"

static bool segment_matches(struct str pattern, struct str segment, int64_t **next_id)
{
    int64_t id;
    if (!str_is(pattern, "{id}"))
        return str_eq(pattern, segment);
    if (num_i64(segment, &id) < 0 || id <= 0)
        return false;
    *(*next_id)++ = id;
    return true;
}

static bool path_matches(struct str pattern, struct str path, int64_t ids[ROUTE_IDS_MAX])
{
    struct str want, have;
    if (str_ends(path, STR("/"))) /* a split would not show it */
        return false;
    while (str_split(&pattern, '/', &want)) {
        if (!str_split(&path, '/', &have) || !segment_matches(want, have, &ids))
            return false;
    }
    return path.len == 0;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* application/x-www-form-urlencoded. NUL and what is not UTF-8 is refused: no name here holds them.
 */
static int decode(struct str in, struct arena *arena, struct str *ret, struct err *err)
{
    char *out = arena_alloc(arena, in.len + 1);
    size_t n = 0;
    if (!out)
        return err_set(err, ENOMEM, "query");
    for (size_t i = 0; i < in.len; i++) {
        if (in.ptr[i] != '%') {
            out[n++] = in.ptr[i] == '+' ? ' ' : in.ptr[i];
            continue;
        }
        int high = i + 2 < in.len ? hex_value(in.ptr[i + 1]) : -1;
        int low = i + 2 < in.len ? hex_value(in.ptr[i + 2]) : -1;
        if (high < 0 || low < 0 || high * 16 + low == 0)
            return err_set(err, EINVAL, "query: a `%%` must be followed by two hex digits, not 00");
        out[n++] = (char)(high * 16 + low);
        i += 2;
    }
    *ret = (struct str){out, n};
    return utf8_is_valid(*ret) ? 0 : err_set(err, EINVAL, "query: not UTF-8");
}

/* The row's own spelling of a parameter's name, or NULL. Names of a row end at a space or the end.
 */
static const char *known_name(const char *names, struct str name, struct arena *arena)
{
    struct str rest = str_of(names), one;
    while (str_split(&rest, ' ', &one))
        if (one.len && str_eq(one, name))
            return arena_cstr(arena, one);
    return NULL;
}

static int parse_param(struct str pair, struct arena *arena, struct route_match *m, struct err *err)
{
    struct str name, value;
    ssize_t eq = str_find(pair, '=', 0);
    size_t cut = eq < 0 ? pair.len : (size_t)eq;
    int res = decode(str_slice(pair, 0, cut), arena, &name, err);
    if (res >= 0)
        res = decode(str_slice(pair, MIN(cut + 1, pair.len), pair.len), arena, &value, err);
    if (res < 0)
        return res;
    const char *known = known_name(m->route->query, name, arena);
    if (!known)
        return err_set(err, EINVAL, "query parameter \"%.*s\" is not known here; known: %s",
                       STR_FMT(name), m->route->query[0] ? m->route->query : "none");
    if (route_param(m, known).ptr)
        return err_set(err, EINVAL, "query parameter \"%s\" is given twice", known);
    if (m->param_count == ROUTE_PARAMS_MAX)
        return err_set(err, EINVAL, "query: too many parameters");
    m->params[m->param_count++] = (struct route_param){known, value};
    return 0;
}

static int parse_query(struct str query, struct arena *arena, struct route_match *m,
                       struct err *err)
{
    struct str pair;
    while (str_split(&query, '&', &pair)) {
        int res = pair.len ? parse_param(pair, arena, m, err) : 0;
        if (res < 0)
            return res;
    }
    return 0;
}

static void allow_add(struct route_match *m, const char *method)
{
    size_t used = strlen(m->allow);
    snprintf(m->allow + used, sizeof(m->allow) - used, "%s%s", used ? ", " : "", method);
}

int route_find(const struct route *table, size_t n, struct str method, struct str target,
               struct arena *arena, struct route_match *ret, struct err *err)
{
    *ret = (struct route_match){0};
    if (target.len > ROUTE_TARGET_MAX)
        return err_set(err, ENAMETOOLONG, "request target over %d bytes", ROUTE_TARGET_MAX);
    ssize_t mark = str_find(target, '?', 0);
    struct str path = str_slice(target, 0, mark < 0 ? target.len : (size_t)mark);
    struct str query = mark < 0 ? STR_NONE : str_slice(target, (size_t)mark + 1, target.len);
    for (size_t i = 0; i < n; i++) {
        int64_t ids[ROUTE_IDS_MAX] = {0};
        if (!path_matches(str_of(table[i].pattern), path, ids))
            continue;
        if (str_is(method, table[i].method)) {
            ret->route = &table[i];
            memcpy(ret->ids, ids, sizeof(ids));
            return parse_query(query, arena, ret, err);
        }
        allow_add(ret, table[i].method);
    }
    if (ret->allow[0])
        return err_set(err, EOPNOTSUPP, "this path takes %s", ret->allow);
    return err_set(err, ENOENT, "no such path");
}

struct str route_param(const struct route_match *m, const char *name)
{
    for (size_t i = 0; i < m->param_count; i++)
        if (strcmp(m->params[i].name, name) == 0)
            return m->params[i].value;
    return STR_NONE;
}

int route_param_i64(const struct route_match *m, const char *name, int64_t min, int64_t max,
                    int64_t dflt, int64_t *ret, struct err *err)
{
    struct str text = route_param(m, name);
    *ret = dflt;
    if (!text.ptr)
        return 0;
    if (num_i64(text, ret) < 0 || *ret < min || *ret > max)
        return err_set(err, EINVAL,
                       "query parameter \"%s\": expected a number from %" PRId64 " to %" PRId64,
                       name, min, max);
    return 0;
}
