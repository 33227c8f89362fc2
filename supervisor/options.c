/*
 * options.c: see options.h.
 */
#include "supervisor/options.h"

#include <getopt.h>

struct row {
    const char *name, *arg, *dflt, *help;
    int letter;
};

static const struct row rows[] = {
#define OPTION(n, l, a, d, h) {.name = #n, .arg = (a), .dflt = (d), .help = (h), .letter = (l)},
#include "supervisor/options.def"
#undef OPTION
};
_Static_assert(ARRAY_LEN(rows) == OPTION_COUNT, "a row each");

/* "uid_base" in the table is --uid-base on the command line. */
static void long_name(const char *name, char out[32])
{
    size_t i = 0;
    for (; i < 31 && name[i]; i++)
        out[i] = name[i] == '_' ? '-' : name[i];
    out[i] = '\0';
}

void options_help(struct buf *out)
{
    buf_cstr(
        out,
        "usage: reeved [option ...]\n\n"
        "The supervisor of Reeve: starts confined workers for events, under policy, and keeps\n"
        "every step. It stays in the foreground and logs to standard error.\n\n");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char name[32], head[64];
        long_name(rows[i].name, name);
        snprintf(head, sizeof(head), "-%c, --%s%s%s", rows[i].letter, name, rows[i].arg ? " " : "",
                 rows[i].arg ? rows[i].arg : "");
        buf_fmt(out, "  %-24s %s", head, rows[i].help);
        if (rows[i].dflt[0])
            buf_fmt(out, " (default: %s)", rows[i].dflt);
        buf_char(out, '\n');
    }
    buf_cstr(out, "\nSIGHUP loads the policy directory again; SIGTERM stops, runs go on at the "
                  "next start.\n");
}

static int add_def(struct options *o, const char *text, struct err *err)
{
    struct str rest = str_of(text), name;
    if (!str_split(&rest, '=', &name) || !name.len || rest.ptr == NULL)
        return err_set(err, EINVAL, "--set %s: expected NAME=VALUE", text);
    if (!name_is_env(name))
        return err_set(err, EINVAL, "--set %s: a name is made of letters, digits and _", text);
    if (o->def_count == OPTIONS_SET_MAX)
        return err_set(err, EINVAL, "--set was given over %d times", OPTIONS_SET_MAX);
    o->defs[o->def_count++] = (struct house_pair){name, rest};
    return 0;
}

static int convert(struct options *o, struct err *err)
{
    uint64_t n;
    if (num_u64(str_of(o->text[OPTION_uid_base]), &n) < 0 || n < 1000 || n > UINT32_MAX - 65537)
        return err_set(err, EINVAL, "--uid-base %s: expected a user id from 1000 to 4294901758",
                       o->text[OPTION_uid_base]);
    o->uid_base = (uint32_t)n;
    if (num_u64(str_of(o->text[OPTION_workers]), &n) < 0 || n < 1 || n > 4096)
        return err_set(err, EINVAL, "--workers %s: expected 1 to 4096", o->text[OPTION_workers]);
    o->workers = (int)n;
    if (num_u64(str_of(o->text[OPTION_warm]), &n) < 0 || n > 256)
        return err_set(err, EINVAL, "--warm %s: expected 0 to 256", o->text[OPTION_warm]);
    o->warm = (int)n;
    if (log_level_parse(str_of(o->text[OPTION_log_level]), &o->log_level) < 0)
        return err_set(err, EINVAL, "--log-level %s: expected debug, info, warn or error",
                       o->text[OPTION_log_level]);
    return 0;
}

int options_parse(struct options *o, int argc, char **argv, struct err *err)
{
    *o = (struct options){0};
    struct option longs[OPTION_COUNT + 1] = {{0}};
    char names[OPTION_COUNT][32], shorts[2 * OPTION_COUNT + 2] = ":";
    for (int i = 0; i < OPTION_COUNT; i++) {
        long_name(rows[i].name, names[i]);
        longs[i] = (struct option){names[i], rows[i].arg ? required_argument : no_argument, NULL,
                                   rows[i].letter};
        size_t at = strlen(shorts);
        shorts[at] = (char)rows[i].letter;
        shorts[at + 1] = rows[i].arg ? ':' : '\0';
        shorts[at + 2 > sizeof(shorts) - 1 ? sizeof(shorts) - 1 : at + 2] = '\0';
        o->text[i] = rows[i].dflt;
    }
    int c;
    opterr = 0;
    optind = 1;
    while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        int i = 0;
        while (i < OPTION_COUNT && rows[i].letter != c)
            i++;
        if (i == OPTION_COUNT)
            return err_set(err, EINVAL, "%s: %s (see reeved --help)", argv[optind - 1],
                           c == ':' ? "needs an argument" : "is not an option of reeved");
        if (i == OPTION_set && add_def(o, optarg, err) < 0)
            return -EINVAL;
        o->text[i] = rows[i].arg ? optarg : "yes";
        o->given[i] = true;
    }
    if (optind < argc)
        return err_set(err, EINVAL, "%s: reeved takes options only (see reeved --help)",
                       argv[optind]);
    return convert(o, err);
}
