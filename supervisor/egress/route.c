/*
 * route.c: where this process may call, and with what.
 *
 * Runs in reeve-egress. Routes come from reeved (the operator's files), headers and paths of calls
 * from reeved as well, and are checked again here: this process is where a wrong byte would leave
 * the house. Lines of responses are foreign. Pure but for libcurl's URL parser.
 */
#include "supervisor/egress/route.h"

#include <curl/curl.h>

#include "policy/text/names.h"
#include "policy/text/utf8.h"

#define ARENA_MAX        ((size_t)4 << 20)
#define TIMEOUT_MAX_MS   (INT64_C(60) * 60 * 1000)
#define PARALLEL_DEFAULT 16

/* What a call may set. A name that ends with '*' is a prefix. */
static const char *const call_headers[] = {
    "accept",      "content-type", "idempotency-key", "traceparent", "tracestate", "x-request-id",
    "x-tenant-id", "x-agent-id",   "x-run-id",        "x-litellm-*", "x-reeve-*",  "mcp-*",
};
/* What a route may not: these are ours or libcurl's, and keys belong in `secret`. */
static const char *const route_never[] = {
    "host",       "content-length", "transfer-encoding", "connection",          "te",     "trailer",
    "upgrade",    "expect",         "authorization",     "proxy-authorization", "cookie", "proxy-*",
    "keep-alive", "x-api-key",
};
/* What of a response goes back to reeved. */
static const char *const kept_headers[] = {
    "content-type", "retry-after",   "retry-after-ms", "x-request-id",   "request-id",
    "x-litellm-*",  "x-ratelimit-*", "x-should-retry", "mcp-session-id", "mcp-protocol-version",
};

static bool is_listed(const char *const *list, size_t n, struct str lower)
{
    size_t i;

    for (i = 0; i < n; i++) {
        struct str item = str_of(list[i]);

        if (str_ends(item, STR("*")) ? str_starts(lower, str_slice(item, 0, item.len - 1))
                                     : str_eq(lower, item))
            return true;
    }
    return false;
}

/* A field name of RFC 9110, in lower case; false when it is none or too long. */
static bool lower_name(struct str name, char ret[ROUTE_NAME_MAX])
{
    size_t i;

    if (name.len == 0 || name.len >= ROUTE_NAME_MAX)
        return false;
    for (i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        if (c >= 'A' && c <= 'Z')
            c = (char)(c + ('a' - 'A'));
        else if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
            return false;
        ret[i] = c;
    }
    ret[i] = '\0';
    return true;
}

/* No control characters (a line break would be another header), and not too long. */
static bool is_value(struct str value)
{
    size_t i;

    for (i = 0; i < value.len; i++)
        if ((unsigned char)value.ptr[i] < 0x20 || value.ptr[i] == 0x7f)
            return false;
    return value.len <= ROUTE_VALUE_MAX && utf8_is_valid(value);
}

int route_check_header(struct str name, struct str value, struct err *err)
{
    char lower[ROUTE_NAME_MAX];

    if (!lower_name(name, lower))
        return err_set(err, EINVAL, "\"%.*s\" is no header's name",
                       STR_FMT(str_slice(name, 0, 64)));
    if (!is_listed(call_headers, ARRAY_LEN(call_headers), str_of(lower)))
        return err_set(err, EPERM, "a call may not set the header %s", lower);
    if (!is_value(value))
        return err_set(err, EINVAL, "the value of %s has control characters or is too long", lower);
    return 0;
}

bool route_keep_header(struct str line, char name[ROUTE_NAME_MAX], struct str *ret_value)
{
    ssize_t colon = str_find(line, ':', 0);

    if (colon <= 0 || !lower_name(str_slice(line, 0, (size_t)colon), name) ||
        !is_listed(kept_headers, ARRAY_LEN(kept_headers), str_of(name)))
        return false;
    *ret_value = str_trim(str_slice(line, (size_t)colon + 1, line.len));
    return is_value(*ret_value);
}

/* ---- URLs ------------------------------------------------------------------------------------ */

static bool has_part(CURLU *u, CURLUPart part)
{
    char *text = NULL;
    bool has = curl_url_get(u, part, &text, 0) == CURLUE_OK && text && text[0] != '\0';

    curl_free(text);
    return has;
}

static int check_scheme(struct str url, bool may_http, struct err *err)
{
    bool is_http = str_starts(url, STR("http://"));

    /* libcurl would take "https:/host" and other spellings: one is enough. */
    if (!is_http && !str_starts(url, STR("https://")))
        return err_set(err, EINVAL, "the url must begin with https:// or http://");
    if (is_http && !may_http)
        return err_set(
            err, EPERM,
            "the url is http://, which sends keys and texts unprotected: allow it with allowHttp");
    return 0;
}

static int check_parts(CURLU *u, struct err *err)
{
    if (!has_part(u, CURLUPART_HOST))
        return err_set(err, EINVAL, "the url has no host");
    if (has_part(u, CURLUPART_USER) || has_part(u, CURLUPART_PASSWORD))
        return err_set(err, EINVAL, "the url holds a user or password: keys belong in `secret`");
    if (has_part(u, CURLUPART_QUERY) || has_part(u, CURLUPART_FRAGMENT))
        return err_set(err, EINVAL, "the url has a query or fragment");
    return 0;
}

int route_check_url(struct str url, bool may_http, struct err *err)
{
    char text[ROUTE_URL_MAX + 1];
    CURLU *u;
    size_t i;
    int rc = check_scheme(url, may_http, err);

    if (rc < 0)
        return rc;
    if (str_copy(url, text, sizeof(text)) < 0)
        return err_set(err, EINVAL, "the url is longer than %d bytes", ROUTE_URL_MAX);
    for (i = 0; i < url.len; i++)
        if (url.ptr[i] <= 0x20 || url.ptr[i] == 0x7f || url.ptr[i] == '\\')
            return err_set(err, EINVAL, "the url has a space, control character or backslash");
    u = curl_url();
    if (!u)
        return err_set(err, ENOMEM, "no memory for a url");
    if (curl_url_set(u, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
        rc = err_set(err, EINVAL, "the url is none");
    else
        rc = check_parts(u, err);
    curl_url_cleanup(u);
    return rc;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* One part between slashes. "." and ".." in any spelling would leave the route's own path. */
static bool is_path_part(struct str part)
{
    size_t i, dots = 0, all = 0;

    for (i = 0; i < part.len; i++, all++) {
        char c = part.ptr[i];

        if (c == '%') {
            if (i + 2 >= part.len || !is_hex(part.ptr[i + 1]) || !is_hex(part.ptr[i + 2]))
                return false;
            if (part.ptr[i + 1] == '2' && (part.ptr[i + 2] | 0x20) == 'e')
                dots++;
            if ((part.ptr[i + 1] == '2' && (part.ptr[i + 2] | 0x20) == 'f') ||
                (part.ptr[i + 1] == '5' && (part.ptr[i + 2] | 0x20) == 'c') ||
                part.ptr[i + 1] < '2')
                return false; /* an encoded slash, backslash or control character */
            i += 2;
        } else if (c == '.') {
            dots++;
        } else if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     strchr("-_~:@!$'()*+,;=", c)) ||
                   c == '\0') {
            return false;
        }
    }
    return part.len > 0 && !(dots == all && dots <= 2);
}

int route_url(const struct route *r, struct str path, char **ret, struct err *err)
{
    struct str rest = str_slice(path, 1, path.len), part;
    size_t size;

    if (path.len > ROUTE_PATH_MAX || (path.len > 0 && path.ptr[0] != '/') ||
        str_ends(path, STR("/")))
        return err_set(err, EINVAL,
                       "a path begins with '/', does not end with it, and has at most %d bytes",
                       ROUTE_PATH_MAX);
    while (path.len > 0 && str_split(&rest, '/', &part))
        if (!is_path_part(part))
            return err_set(err, EINVAL, "the path holds \"%.*s\", which may not be sent",
                           STR_FMT(str_slice(part, 0, 64)));
    size = r->url.len + path.len + 1;
    *ret = malloc(size);
    if (!*ret)
        return err_set(err, ENOMEM, "no memory for a url");
    (void)snprintf(*ret, size, "%.*s%.*s", STR_FMT(r->url), STR_FMT(path));
    return 0;
}

/* ---- the set --------------------------------------------------------------------------------- */

static int parse_auth(const struct json *v, struct route *r, const struct secrets *secrets,
                      struct err *err)
{
    static const char *const names[] = {"none", "bearer", "x-api-key"};
    struct str auth, secret;
    size_t i;
    int rc = json_str_or(v, "secret", STR_NONE, &secret, err);

    if (rc >= 0)
        rc = json_str_or(v, "auth", secret.ptr ? STR("bearer") : STR("none"), &auth, err);
    if (rc < 0)
        return rc;
    for (i = 0; i < ARRAY_LEN(names) && !str_is(auth, names[i]); i++)
        ;
    if (i == ARRAY_LEN(names))
        return err_set(err, EINVAL, "auth is \"%.*s\", expected bearer, x-api-key or none",
                       STR_FMT(auth));
    r->auth = (enum route_auth)i;
    if (r->auth == ROUTE_AUTH_NONE)
        return 0;
    r->secret = secrets_find(secrets, secret);
    if (!r->secret)
        return err_set(err, ENOENT, "the secret \"%.*s\" was not given to this process",
                       STR_FMT(secret));
    return 0;
}

static int parse_headers(const struct json *v, struct route *r, struct arena *arena,
                         struct err *err)
{
    const struct json *headers = json_get(v, "headers");
    size_t i;

    if (!headers || json_is(headers, JSON_NULL))
        return 0;
    if (!json_is(headers, JSON_OBJECT) || headers->object.count > ROUTE_HEADERS_MAX)
        return err_set(err, EINVAL, "headers must be an object of at most %d members",
                       ROUTE_HEADERS_MAX);
    r->headers = ARENA_ARRAY(arena, headers->object.count + 1, struct route_header);
    if (!r->headers)
        return err_set(err, ENOMEM, "no memory for routes");
    for (i = 0; i < headers->object.count; i++) {
        const struct json_member *m = &headers->object.members[i];
        char lower[ROUTE_NAME_MAX];

        if (!lower_name(m->name, lower) || !json_is(&m->value, JSON_STRING) ||
            !is_value(m->value.string))
            return err_set(err, EINVAL, "header \"%.*s\": not a name and a text",
                           STR_FMT(str_slice(m->name, 0, 64)));
        if (is_listed(route_never, ARRAY_LEN(route_never), str_of(lower)))
            return err_set(err, EPERM, "header %s may not be set by a route", lower);
        r->headers[i] = (struct route_header){arena_str(arena, str_of(lower)),
                                              arena_str(arena, m->value.string)};
        if (!r->headers[i].name.ptr || !r->headers[i].value.ptr)
            return err_set(err, ENOMEM, "no memory for routes");
        r->header_count++;
    }
    return 0;
}

static int parse_limits(const struct json *v, struct route *r, struct err *err)
{
    int rc = json_i64_or(v, "timeoutMs", 120000, &r->timeout_ms, err);

    if (rc >= 0)
        rc = json_i64_or(v, "connectTimeoutMs", 10000, &r->connect_timeout_ms, err);
    if (rc >= 0)
        rc = json_i64_or(v, "maxResponseBytes", (int64_t)4 << 20, &r->max_response_bytes, err);
    if (rc >= 0)
        rc = json_i64_or(v, "maxParallel", PARALLEL_DEFAULT, &r->max_parallel, err);
    if (rc < 0)
        return rc;
    if (r->timeout_ms < 1 || r->timeout_ms > TIMEOUT_MAX_MS || r->connect_timeout_ms < 1 ||
        r->connect_timeout_ms > TIMEOUT_MAX_MS)
        return err_set(err, EINVAL, "timeoutMs and connectTimeoutMs must be 1 to %" PRId64,
                       TIMEOUT_MAX_MS);
    if (r->max_response_bytes < 1 || r->max_response_bytes > (int64_t)ROUTE_RESPONSE_MAX)
        return err_set(err, EINVAL, "maxResponseBytes must be 1 to %zu", ROUTE_RESPONSE_MAX);
    if (r->max_parallel < 1 || r->max_parallel > 256)
        return err_set(err, EINVAL, "maxParallel must be 1 to 256");
    return 0;
}

static int parse_route(const struct json *v, const struct secrets *secrets, struct arena *arena,
                       struct route *r, struct err *err)
{
    struct str ca_file;
    int rc = json_want_str(v, "url", &r->url, err);

    if (rc >= 0)
        rc = json_bool_or(v, "allowHttp", false, &r->may_http, err);
    if (rc >= 0)
        rc = json_str_or(v, "caFile", STR_NONE, &ca_file, err);
    if (rc >= 0)
        rc = route_check_url(r->url, r->may_http, err);
    if (rc >= 0)
        rc = parse_auth(v, r, secrets, err);
    if (rc >= 0)
        rc = parse_headers(v, r, arena, err);
    if (rc >= 0)
        rc = parse_limits(v, r, err);
    if (rc < 0)
        return rc;
    while (str_ends(r->url, STR("/")))
        r->url.len--;
    r->url = arena_str(arena, r->url);
    r->name = arena_str(arena, r->name);
    if (ca_file.len > 0)
        r->ca_file = arena_cstr(arena, ca_file);
    return r->url.ptr && r->name.ptr && (ca_file.len == 0 || r->ca_file)
               ? 0
               : err_set(err, ENOMEM, "no memory for routes");
}

static int parse_all(const struct json *list, const struct secrets *secrets, struct routes *s,
                     struct err *err)
{
    size_t i;
    int rc;

    for (i = 0; i < list->array.count; i++) {
        struct route *r = &s->items[i];

        rc = json_want_str(&list->array.items[i], "name", &r->name, err);
        if (rc >= 0 && !name_is_ok(r->name))
            rc = err_set(err, EINVAL, "a name has %s", name_rule_text);
        if (rc < 0)
            return err_wrap(err, "route %zu", i + 1);
        if (routes_find(s, r->name))
            return err_set(err, EEXIST, "route %.*s: given twice", STR_FMT(r->name));
        rc = parse_route(&list->array.items[i], secrets, &s->arena, r, err);
        if (rc < 0)
            return err_wrap(err, "route %.*s", STR_FMT(r->name));
        s->count++;
    }
    return 0;
}

int routes_parse(const struct json *params, const struct secrets *secrets, struct routes *ret,
                 struct err *err)
{
    struct routes s = {0};
    const struct json *list;
    int rc = json_want(params, "routes", JSON_ARRAY, &list, err);

    if (rc < 0)
        return rc;
    if (list->array.count > ROUTES_MAX)
        return err_set(err, E2BIG, "more than %d routes", ROUTES_MAX);
    arena_init(&s.arena, ARENA_MAX);
    s.items = ARENA_ARRAY(&s.arena, list->array.count + 1, struct route);
    rc = s.items ? parse_all(list, secrets, &s, err) : err_set(err, ENOMEM, "no memory for routes");
    if (rc < 0)
        routes_release(&s);
    else
        *ret = s;
    return rc;
}

void routes_release(struct routes *r)
{
    arena_release(&r->arena);
    *r = (struct routes){0};
}

const struct route *routes_find(const struct routes *r, struct str name)
{
    size_t i;

    for (i = 0; i < r->count; i++)
        if (str_eq(r->items[i].name, name))
            return &r->items[i];
    return NULL;
}
