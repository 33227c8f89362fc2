/*
 * ctl.h: reeve, the operators' command: what its commands share. A client of the control API and of
 * nothing else; offline work (policy, sandbox, doctor) needs no daemon.
 *
 * Exit codes: 0 good, 1 failed, 2 used wrongly, 3 not found, 4 not allowed, 5 the daemon cannot be reached,
 * 6 not taken for now (a queue is full): try again later.
 */
#ifndef REEVE_CTL_CTL_H
#define REEVE_CTL_CTL_H

#include "policy/text/jout.h"
#include "sandbox/os/clock.h"
#include "supervisor/ctl/args.h"
#include "supervisor/ctl/client.h"
#include "supervisor/ctl/table.h"

enum exit_code {
    CTL_GOOD = 0,
    CTL_FAILED = 1,
    CTL_USAGE = 2,
    CTL_NOT_FOUND = 3,
    CTL_DENIED = 4,
    CTL_UNREACHABLE = 5,
    CTL_BUSY = 6,
};

#define CTL_SOCKET_DEFAULT "/run/reeve/control.sock"

/* What a program knows of where it runs. */
struct ctl_host {
    int in_fd, out_fd, err_fd;
    const char *(*env)(const char *name);
    const struct clock *clock;
    int (*offset_s)(int64_t unix_ms);
    bool is_tty;
    size_t width;
};

struct ctl {
    const struct ctl_host *host;
    struct args args;
    struct style style;
    bool json;
    struct client client;
    struct arena arena;
    struct buf out;   /* for standard output */
};

int ctl_main(const struct ctl_host *host, int argc, const char *const *argv);

/* Writes what is in c->out; an exit code. */
int ctl_flush(struct ctl *c);
/* "reeve: ..." on standard error; returns code. */
int ctl_fail(struct ctl *c, int code, const char *fmt, ...) PRINTF(3, 4);
int ctl_fail_err(struct ctl *c, int code, const struct err *err);
int ctl_usage(struct ctl *c, const char *fmt, ...) PRINTF(2, 3);

/* Asks the API. 0 and the answer's tree, or an exit code after telling the error. Body: JSON or STR_NONE. */
int ctl_get(struct ctl *c, const struct json **ret, const char *fmt, ...) PRINTF(3, 4);
int ctl_post(struct ctl *c, struct str body, const char *content_type, const struct json **ret, const char *fmt,
             ...) PRINTF(5, 6);
/* The answer as it came, made safe to look at (same JSON), with a line's end. For --json. */
void ctl_put_json(struct ctl *c, const struct json *v);
/* Whether a command is over with what the API answered: code says that it failed (and was told), or --json
 * asked for the answer, which is written. The command returns code then. */
bool ctl_is_told(struct ctl *c, int code, const struct json *answer);

/* A positive number among the arguments, or of an option; an exit code after telling what is wrong. */
int ctl_id(struct ctl *c, size_t word, const char *what, int64_t *ret);
/* Appends "?name=value" or "&name=value", encoded; nothing for NULL. */
void ctl_query(struct buf *path, const char *name, const char *value);

/* A list that is answered whole, as a table. */
struct ctl_rows {
    const struct table_column *columns;
    size_t column_count;
    const char *member; /* of the answer: "workflows" */
    void (*row)(struct ctl *c, struct table *t, const struct json *row);
    const char *last;   /* of the answer: one more row below the others, a total; or NULL */
    const char *none;   /* what to say when there is no row; NULL: nothing */
};
void ctl_add_ago(struct ctl *c, struct table *t, const struct json *row, const char *name); /* a cell: "2 min ago" */
void ctl_put_rows(struct ctl *c, const struct ctl_rows *rows, const struct json *answer);

/* The rows of a list, page after page where --all says so. path: with its query, without cursor. */
typedef void ctl_row_fn(void *arg, const struct json *row);
struct ctl_list {
    const char *path, *member; /* "/v1/runs", "runs" */
    const char *cursor;        /* the parameter that takes "next" */
    const char *first;         /* its value for the first page, or NULL */
    ctl_row_fn *row;
    void *arg;
};
int ctl_list(struct ctl *c, const struct ctl_list *l, bool *ret_more);
/* Every row of every page, for work on all of them: c->arena holds one page at a time. */
int ctl_each(struct ctl *c, const struct ctl_list *l);

/* A file's text ("-": standard input), malloc'd; an exit code after telling what is wrong. */
int ctl_read_file(struct ctl *c, const char *path, size_t max, char **ret, size_t *ret_len);

/* Loads a directory of policy and workflow files; an exit code after telling what is wrong. */
struct house;
int ctl_load_house(struct ctl *c, const char *dir, struct house **ret);

/* Starts a replay of a run and waits for its end; an exit code. Its report is "result" of what comes back. */
int ctl_replay(struct ctl *c, int64_t origin, const struct json **ret_run);
/* Follows a run until its end; an exit code. */
int ctl_follow(struct ctl *c, int64_t run);
void ctl_put_usage(const struct command *cmd, const struct style *s, struct buf *out);

#endif
