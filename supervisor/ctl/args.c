/*
 * args.c: the command line of reeve. Trusts nothing of it.
 */
#include "supervisor/ctl/args.h"

#include "supervisor/ctl/commands.h"

const struct option_row option_rows[OPTION_COUNT] = {
#define OPTION(id, name, arg, help) [OPTION_##id] = {name, arg, help},
#include "supervisor/ctl/options.def"
#undef OPTION
};

#define O(id) (1ull << OPTION_##id)
const struct command commands[] = {
#define COMMAND(words, args, min, max, options, run, summary, details, example) \
    {words, args, min, max, options, run, summary, details, example},
#include "supervisor/ctl/commands.def"
#undef COMMAND
};
const size_t command_count = ARRAY_LEN(commands);

static int find_option(struct str name, enum option *ret, struct err *err)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (str_is(name, option_rows[i].name)) {
            *ret = (enum option)i;
            return 0;
        }
    }
    return err_set(err, EINVAL, "no option --%.*s is known", STR_FMT(name));
}

/* `--name`, `--name VALUE`, `--name=VALUE`. Moves *at on over what it took. */
static int take_option(int argc, const char *const *argv, int *at, struct args *a, struct err *err)
{
    struct str text = str_of(argv[*at] + 2);
    ssize_t eq = str_find(text, '=', 0);
    struct str name = str_slice(text, 0, eq < 0 ? text.len : (size_t)eq);
    enum option id = OPTION_HELP;
    int res = find_option(name, &id, err);
    if (res < 0)
        return res;
    const char *value = eq < 0 ? NULL : text.ptr + eq + 1;
    if (option_rows[id].arg && !value) {
        if (*at + 1 >= argc)
            return err_set(err, EINVAL, "--%s needs %s", option_rows[id].name, option_rows[id].arg);
        value = argv[++*at];
    }
    if (!option_rows[id].arg && value)
        return err_set(err, EINVAL, "--%s takes no value", option_rows[id].name);
    if (a->option_count == ARGS_MAX)
        return err_set(err, EINVAL, "more than %d options", ARGS_MAX);
    a->options[a->option_count].id = id;
    a->options[a->option_count++].value = value;
    return 0;
}

/* How many of the given words the command's words are; 0 when they differ. */
static size_t matches(const char *words, const char *const *given, size_t n)
{
    struct str rest = str_of(words), one;
    size_t count = 0;
    while (str_split(&rest, ' ', &one)) {
        if (count == n || !str_is(one, given[count]))
            return 0;
        count++;
    }
    return count;
}

static int unknown_command(const struct args *a, struct err *err)
{
    struct buf like;
    buf_init(&like, 1024);
    bool is_group = args_like(a->words[0], &like) > 0;
    if (is_group)
        err_set(err, EINVAL, "%s: expected one of %.*s", a->words[0], STR_FMT(buf_str(&like)));
    else
        err_set(err, EINVAL, "no command \"%s\" is known: see reeve help", a->words[0]);
    buf_release(&like);
    return -EINVAL;
}

static int find_command(struct args *a, struct err *err)
{
    size_t best = 0;
    for (size_t i = 0; i < command_count; i++) {
        size_t n = matches(commands[i].words, a->words, a->word_count);
        if (n > best) {
            best = n;
            a->command = &commands[i];
        }
    }
    if (!a->command)
        return a->word_count ? unknown_command(a, err) : 0;
    a->word_count -= best;
    memmove(a->words, a->words + best, a->word_count * sizeof(a->words[0]));
    return 0;
}

static int check_use(const struct args *a, struct err *err)
{
    const struct command *c = a->command;
    if (!c || args_has(a, OPTION_HELP))
        return 0;
    for (size_t i = 0; i < a->option_count; i++)
        if (!((c->options | OPTIONS_OF_ALL) >> a->options[i].id & 1))
            return err_set(err, EINVAL, "--%s does not go with reeve %s",
                           option_rows[a->options[i].id].name, c->words);
    size_t most = c->max_args >= 0 ? (size_t)c->max_args : c->max_args == ARGS_WORD_OR_REST && !a->rest_count;
    if (a->word_count > most)
        return err_set(err, EINVAL, "unexpected argument \"%s\"", a->words[most]);
    if (a->word_count < (size_t)c->min_args)
        return err_set(err, EINVAL, "expected %s", c->args);
    if (c->max_args < 0 && !a->rest_count && !(c->max_args == ARGS_WORD_OR_REST && a->word_count))
        return err_set(err, EINVAL, "expected a command after --");
    if (c->max_args >= 0 && a->rest_count)
        return err_set(err, EINVAL, "unexpected argument \"%s\"", a->rest[0]);
    return 0;
}

int args_parse(int argc, const char *const *argv, struct args *ret, struct err *err)
{
    int res = 0;
    *ret = (struct args){0};
    for (int i = 1; i < argc && res >= 0; i++) {
        if (strcmp(argv[i], "--") == 0) {
            ret->rest = argv + i + 1;
            ret->rest_count = (size_t)(argc - i - 1);
            break;
        }
        if (strcmp(argv[i], "-h") == 0) {
            static const char *const LONG[] = {"--help"};
            int at = 0;
            res = take_option(1, LONG, &at, ret, err);
        } else if (strncmp(argv[i], "--", 2) == 0) {
            res = take_option(argc, argv, &i, ret, err);
        } else if (argv[i][0] == '-' && argv[i][1]) {
            res = err_set(err, EINVAL, "no option %s is known", argv[i]);
        } else if (ret->word_count == ARGS_MAX) {
            res = err_set(err, EINVAL, "more than %d arguments", ARGS_MAX);
        } else {
            ret->words[ret->word_count++] = argv[i];
        }
    }
    int found = find_command(ret, res < 0 ? NULL : err);
    if (res >= 0)
        res = found;
    return res < 0 ? res : check_use(ret, err);
}

bool args_has(const struct args *a, enum option id)
{
    for (size_t i = 0; i < a->option_count; i++)
        if (a->options[i].id == id)
            return true;
    return false;
}

const char *args_get(const struct args *a, enum option id)
{
    const char *value = NULL;
    for (size_t i = 0; i < a->option_count; i++)
        if (a->options[i].id == id)
            value = a->options[i].value;
    return value;
}

size_t args_like(const char *words, struct buf *out)
{
    size_t n = strlen(words), count = 0;
    for (size_t i = 0; i < command_count; i++) {
        const char *have = commands[i].words;
        if (strncmp(have, words, n) != 0 || have[n] != ' ')
            continue;
        buf_fmt(out, "%s%s", count++ ? ", " : "", have + n + 1);
    }
    return count;
}
