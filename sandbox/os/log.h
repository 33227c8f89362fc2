/*
 * log.h: one line an event on a descriptor (standard error), for programs (main files and rooms of
 * floors 3 and up); library floors never log. logfmt: `time=... level=info unit=reeved run=41 msg="..."`.
 * Values are escaped, so that foreign bytes cannot forge a line. Secrets are never handed to it.
 */
#ifndef REEVE_OS_LOG_H
#define REEVE_OS_LOG_H

#include "policy/text/buf.h"
#include "policy/text/err.h"
#include "sandbox/os/clock.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
struct log {
    int fd;
    enum log_level level;  /* below it nothing is written */
    const char *unit;      /* program name */
    const struct clock *clock;
    bool json;             /* one JSON object a line instead */
};

struct log_field {
    const char *name;
    struct str text;     /* when text.ptr is set */
    int64_t number;
};
#define LOG_STR(n, s) ((struct log_field){.name = (n), .text = (s)})
#define LOG_INT(n, v) ((struct log_field){.name = (n), .number = (v)})

void log_init(struct log *l, const char *unit, enum log_level level);
int log_level_parse(struct str name, enum log_level *ret) NODISCARD; /* debug info warn error */
void log_put(const struct log *l, enum log_level level, const struct log_field *fields, size_t n,
             const char *fmt, ...) PRINTF(5, 6);
#define log_debug(l, ...) log_put((l), LOG_LEVEL_DEBUG, NULL, 0, __VA_ARGS__)
#define log_info(l, ...)  log_put((l), LOG_LEVEL_INFO, NULL, 0, __VA_ARGS__)
#define log_warn(l, ...)  log_put((l), LOG_LEVEL_WARN, NULL, 0, __VA_ARGS__)
#define log_error(l, ...) log_put((l), LOG_LEVEL_ERROR, NULL, 0, __VA_ARGS__)

#endif
