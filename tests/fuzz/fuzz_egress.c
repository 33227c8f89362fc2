/*
 * fuzz_egress.c: lines of responses, paths and routes: nothing that is kept can be a second header,
 * and no path leaves its route.
 */
#include "policy/text/utf8.h"
#include "supervisor/egress/call.h"
#include "supervisor/egress/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(struct str line)
{
    char name[ROUTE_NAME_MAX];
    struct str value;

    if (!route_keep_header(line, name, &value))
        return;
    must(strlen(name) > 0 && value.len <= ROUTE_VALUE_MAX && utf8_is_valid(value));
    must(str_find(value, '\n', 0) < 0 && str_find(value, '\r', 0) < 0);
}

static void check_path(struct str path)
{
    const struct route r = {.name = STR("gw"), .url = STR("https://host/v1")};
    char *url = NULL;

    if (route_url(&r, path, &url, NULL) < 0)
        return;
    must(str_starts(str_of(url), r.url) && strlen(url) == r.url.len + path.len);
    must(path.len == 0 || url[r.url.len] == '/');
    must(!strstr(url, "/../") && !strstr(url, "/./") && !strchr(url, '?') && !strchr(url, '#') &&
         !strchr(url, '\\'));
    must(route_check_url(str_of(url), false, NULL) == 0);
    free(url);
}

static void check_params(struct arena *a, const struct json *v)
{
    const struct secrets none = {0};
    struct routes routes;
    struct call *c = NULL;

    (void)a;
    if (routes_parse(v, &none, &routes, NULL) == 0)
        routes_release(&routes);
    if (call_parse(STR("1"), v, &c, NULL) == 0)
        call_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str s = {(const char *)data, size};
    const struct json *v = NULL;
    struct arena a;

    check_line(s);
    check_path(s);
    if (route_check_url(s, false, NULL) == 0)
        must(str_starts(s, STR("https://")) && s.len > 8);
    arena_init(&a, (size_t)64 << 20);
    if (json_parse(&a, s, &JSON_LIMITS_DEFAULT, &v, NULL, NULL) == 0)
        check_params(&a, v);
    arena_release(&a);
    return 0;
}
