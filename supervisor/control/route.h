/*
 * route.h: from a request line to the one row that serves it. Pure; the target is hostile.
 *
 * A path is matched to the letter: no percent-escapes, no empty or dot segments, no trailing slash, so
 * that nothing has two spellings. Query parameters are the row's own or the request is refused.
 */
#ifndef REEVE_CONTROL_ROUTE_H
#define REEVE_CONTROL_ROUTE_H

#include "policy/text/arena.h"
#include "policy/text/err.h"
#include "supervisor/control/roles.h"

struct exchange;
/* Answers, now or later. < 0: it has not and will not, and the error is told to the client. */
typedef int route_handler(struct exchange *x, struct err *err);

struct route {
    const char *method;
    const char *pattern; /* "{id}" stands for a positive decimal number; at most ROUTE_IDS_MAX of them */
    enum role role;
    const char *query;   /* names of the parameters that it takes, separated by spaces */
    size_t max_body;     /* bytes; 0: none */
    route_handler *handler;
};

#define ROUTE_PARAMS_MAX 8
#define ROUTE_IDS_MAX 2
#define ROUTE_TARGET_MAX 2048

struct route_param {
    const char *name; /* the row's spelling */
    struct str value; /* decoded */
};
struct route_match {
    const struct route *route;
    int64_t ids[ROUTE_IDS_MAX]; /* in order; 0: none */
    struct route_param params[ROUTE_PARAMS_MAX];
    size_t param_count;
    char allow[32]; /* methods that the path has, for 405 */
};

/*
 * -ENOENT: no such path. -EOPNOTSUPP: the path has other methods (ret->allow). -EINVAL: a query that the
 * row does not take, with text. -ENAMETOOLONG, -ENOMEM. Decoded values live in `arena`.
 */
int route_find(const struct route *table, size_t n, struct str method, struct str target,
               struct arena *arena, struct route_match *ret, struct err *err) NODISCARD;
/* The value of a parameter; STR_NONE when absent (and only then is ptr NULL). */
struct str route_param(const struct route_match *m, const char *name);
/* An integer parameter in [min, max], `dflt` when absent; -EINVAL with text. */
int route_param_i64(const struct route_match *m, const char *name, int64_t min, int64_t max,
                    int64_t dflt, int64_t *ret, struct err *err) NODISCARD;

#endif
