/*
 * fuzz_control_route.c: a request line, method SP target, finds one row or none. What it finds can
 * be written in one way only: the row's pattern with its numbers gives the path back.
 */
#include "supervisor/control/control.h"
#include "supervisor/control/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_path(const struct route_match *m, struct str target)
{
    struct buf path;
    struct str rest = str_of(m->route->pattern), part;
    size_t n = 0;
    buf_init(&path, 4096);
    for (bool first = true; str_split(&rest, '/', &part); first = false) {
        if (!first)
            buf_char(&path, '/');
        if (str_is(part, "{id}"))
            buf_fmt(&path, "%" PRId64, m->ids[n++]);
        else
            buf_str_put(&path, part);
    }
    must(str_starts(target, buf_str(&path)));
    must(target.len == path.len || target.ptr[path.len] == '?');
    buf_release(&path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str line = {(const char *)data, size};
    ssize_t space = str_find(line, ' ', 0);
    struct str method = str_slice(line, 0, space < 0 ? 0 : (size_t)space);
    struct str target = str_slice(line, (size_t)(space + 1), line.len);
    struct arena arena;
    struct route_match m;
    struct err err = ERR_INIT;
    size_t n;
    const struct route *routes = control_routes(&n);
    arena_init(&arena, 1u << 20);
    int res = route_find(routes, n, method, target, &arena, &m, &err);
    must(res == 0 || err.text[0]);
    if (m.route)
        must(str_is(method, m.route->method));
    if (res == 0)
        check_path(&m, target);
    for (size_t i = 0; res == 0 && i < m.param_count; i++) {
        must(strstr(m.route->query, m.params[i].name) != NULL);
        for (size_t k = 0; k < i; k++)
            must(strcmp(m.params[i].name, m.params[k].name) != 0);
    }
    arena_release(&arena);
    return 0;
}
