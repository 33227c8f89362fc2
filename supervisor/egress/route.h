/*
 * route.h: where this process may call, and with what: routes are the operator's; a call can add a path and a few
 * headers, nothing else. There is no other way to make a URL here (no SSRF).
 */
#ifndef REEVE_EGRESS_ROUTE_H
#define REEVE_EGRESS_ROUTE_H

#include "policy/text/arena.h"
#include "policy/text/json.h"
#include "supervisor/egress/secret.h"

#define ROUTES_MAX         256
#define ROUTE_HEADERS_MAX  32
#define ROUTE_URL_MAX      2048
#define ROUTE_PATH_MAX     1024
#define ROUTE_VALUE_MAX    4096
#define ROUTE_RESPONSE_MAX ((size_t)12 << 20) /* must fit a message of the wire, escaped */

enum route_auth { ROUTE_AUTH_NONE, ROUTE_AUTH_BEARER, ROUTE_AUTH_X_API_KEY };

struct route_header {
    struct str name, value;
};

struct route { /* borrowed from its set */
    struct str name, url; /* url without a '/' at its end */
    const struct secret *secret;
    enum route_auth auth;
    struct route_header *headers;
    size_t header_count;
    int64_t timeout_ms, connect_timeout_ms;
    int64_t max_response_bytes;
    const char *ca_file; /* NULL: the system's */
    bool may_http;
    int64_t max_parallel;
};

struct routes {
    struct arena arena;
    struct route *items;
    size_t count;
};

/* The whole set of `egress/routes`, or what is wrong with which route. Secrets are borrowed. */
int routes_parse(const struct json *params, const struct secrets *secrets, struct routes *ret, struct err *err) NODISCARD;
void routes_release(struct routes *r);
const struct route *routes_find(const struct routes *r, struct str name);

/* http or https (http only when it may), a host, no user, query or fragment. */
int route_check_url(struct str url, bool may_http, struct err *err) NODISCARD;
/* url + path, malloc'd. path is "" or begins with '/'; unreserved bytes and %XX alone, no "." or ".." parts (encoded
 * or not), no empty parts, no query. */
int route_url(const struct route *r, struct str path, char **ret, struct err *err) NODISCARD;
/* A header of a call: an allowed name (see route.c) and a value without control characters. */
int route_check_header(struct str name, struct str value, struct err *err) NODISCARD;

/* One line of a response, as it came ("Name: value\r\n"): true when it is kept; name (in lower case, copied) and
 * value (borrowed from the line) then. */
#define ROUTE_NAME_MAX 64
bool route_keep_header(struct str line, char name[ROUTE_NAME_MAX], struct str *ret_value);

#endif
