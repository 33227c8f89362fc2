/*
 * options.h: reeved's command line, from options.def.
 */
#ifndef REEVE_SUPERVISOR_OPTIONS_H
#define REEVE_SUPERVISOR_OPTIONS_H

#include "policy/house.h"
#include "policy/text/names.h"
#include "sandbox/os/log.h"

enum option_id {
#define OPTION(name, letter, arg, dflt, help) OPTION_##name,
#include "supervisor/options.def"
#undef OPTION
    OPTION_COUNT
};

#define OPTIONS_SET_MAX 64

struct options {
    const char *text[OPTION_COUNT]; /* as given or the default; "" for a flag that was not given */
    bool given[OPTION_COUNT];
    struct house_pair defs[OPTIONS_SET_MAX];
    size_t def_count;
    uint32_t uid_base;
    int workers, warm;
    enum log_level log_level;
};

/* Strings are borrowed from argv. -EINVAL: the text says what is wrong and what would be right. */
int options_parse(struct options *o, int argc, char **argv, struct err *err) NODISCARD;
void options_help(struct buf *out);

#endif
