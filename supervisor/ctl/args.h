/*
 * args.h: the command line: which command, its options, its arguments. Two tables say all there is:
 * commands.def and options.def; help, completion and the parser read the same rows.
 */
#ifndef REEVE_CTL_ARGS_H
#define REEVE_CTL_ARGS_H

#include "policy/text/buf.h"
#include "policy/text/err.h"

enum option {
#define OPTION(id, name, arg, help) OPTION_##id,
#include "supervisor/ctl/options.def"
#undef OPTION
    OPTION_COUNT
};
_Static_assert(OPTION_COUNT <= 64, "options of a command are bits of a uint64_t");

#define OPTIONS_OF_ALL                                                                             \
    (1ull << OPTION_HELP | 1ull << OPTION_JSON | 1ull << OPTION_SOCKET | 1ull << OPTION_COLOUR)

struct option_row {
    const char *name, *arg, *help;
};
extern const struct option_row option_rows[OPTION_COUNT];

struct ctl;
enum { ARGS_REST = -1, ARGS_WORD_OR_REST = -2 /* one word, or what follows `--` */ };
struct command {
    const char *words; /* "run show" */
    const char *args;
    int min_args, max_args; /* ARGS_REST: only what follows `--` */
    uint64_t options;       /* bits of enum option, besides OPTIONS_OF_ALL */
    int (*run)(struct ctl *c); /* an exit code */
    const char *summary, *details, *example;
};
extern const struct command commands[];
extern const size_t command_count;

#define ARGS_MAX 64
struct args {
    const struct command *command; /* NULL: none was given */
    struct {
        enum option id;
        const char *value;
    } options[ARGS_MAX];
    size_t option_count;
    const char *words[ARGS_MAX]; /* arguments of the command */
    size_t word_count;
    const char *const *rest; /* after `--` */
    size_t rest_count;
};

/* All strings are borrowed from argv. -EINVAL with what is wrong and what would be right; ret->command is
 * set where it was found before, so that its usage can be shown. */
int args_parse(int argc, const char *const *argv, struct args *ret, struct err *err) NODISCARD;
bool args_has(const struct args *a, enum option id);
const char *args_get(const struct args *a, enum option id); /* the last one, or NULL */
/* Commands whose words begin so, "run" for "run show": appends their names, for messages. */
size_t args_like(const char *words, struct buf *out);

#endif
