/*
 * cmd_policy.c: policy work that needs no daemon. Runs in reeve, on files that are the caller's.
 */
#include <unistd.h>

#include "policy/check.h"
#include "supervisor/ctl/commands.h"
#include "supervisor/ctl/ctl.h"

#define TEXT_MAX (16u << 20)

struct sets {
    struct house_pair items[ARGS_MAX];
    size_t count;
};

/* --set NAME=VALUE, as often as it was given. */
static int read_sets(struct ctl *c, struct sets *ret)
{
    ret->count = 0;
    for (size_t i = 0; i < c->args.option_count; i++) {
        if (c->args.options[i].id != OPTION_SET)
            continue;
        struct str text = str_of(c->args.options[i].value);
        ssize_t eq = str_find(text, '=', 0);
        if (eq <= 0)
            return ctl_usage(c, "--set: expected NAME=VALUE, found \"%.*s\"", STR_FMT(text));
        ret->items[ret->count++] = (struct house_pair){str_slice(text, 0, (size_t)eq),
                                                       str_slice(text, (size_t)eq + 1, text.len)};
    }
    return CTL_GOOD;
}

static struct check_options options_of(const struct ctl *c, const char *dir,
                                       const struct sets *sets)
{
    return (struct check_options){
        .dir = dir,
        .house = {.owner = geteuid(), .defs = {sets->items, sets->count}},
        .json = c->json,
    };
}

/* 0, 1: the check's own word. 2: it could not be done. */
static int finish(struct ctl *c, int res, const struct err *err)
{
    if (res == 0 || res == 1)
        return res;
    (void)ctl_flush(c);
    return ctl_fail(c, CTL_FAILED, "%s", err->text[0] ? err->text : "it could not be done");
}

int ctl_load_house(struct ctl *c, const char *dir, struct house **ret)
{
    struct sets sets;
    struct diags diags;
    struct err err = ERR_INIT;
    int code = read_sets(c, &sets);
    if (code)
        return code;
    struct check_options o = options_of(c, dir, &sets);
    diags_init(&diags);
    if (house_load(dir, &o.house, &diags, ret, &err) < 0) {
        diags_put(&diags, &c->out);
        (void)ctl_flush(c);
        code = ctl_fail(c, CTL_FAILED, "%s", err.text[0] ? err.text : "the files have errors");
    }
    diags_release(&diags);
    return code;
}

int cmd_policy_check(struct ctl *c)
{
    struct sets sets;
    struct err err = ERR_INIT;
    int code = read_sets(c, &sets);
    if (code)
        return code;
    struct check_options o = options_of(c, c->args.words[0], &sets);
    return finish(c, check_dir(&o, &c->out, &err), &err);
}

int cmd_policy_test(struct ctl *c)
{
    struct sets sets;
    struct err err = ERR_INIT;
    char *text = NULL;
    size_t len;
    int code = read_sets(c, &sets);
    if (!code)
        code = ctl_read_file(c, c->args.words[1], TEXT_MAX, &text, &len);
    if (code)
        return code;
    struct check_options o = options_of(c, c->args.words[0], &sets);
    code = check_cases(&o, str_of(c->args.words[1]), (struct str){text, len}, &c->out, &err);
    free(text);
    return finish(c, code, &err);
}

int cmd_policy_eval(struct ctl *c)
{
    struct sets sets;
    struct err err = ERR_INIT;
    char *text = NULL;
    size_t len;
    int code = read_sets(c, &sets);
    if (!code)
        code = ctl_read_file(c, c->args.words[1], TEXT_MAX, &text, &len);
    if (code)
        return code;
    struct check_options o = options_of(c, c->args.words[0], &sets);
    code = check_eval(&o, (struct str){text, len}, &c->out, &err);
    free(text);
    return finish(c, code, &err);
}

int cmd_policy_convert(struct ctl *c)
{
    struct err err = ERR_INIT;
    char *text = NULL;
    size_t len;
    int code = ctl_read_file(c, c->args.words[0], TEXT_MAX, &text, &len);
    if (code)
        return code;
    code = check_convert(str_of(c->args.words[0]), (struct str){text, len},
                         args_has(&c->args, OPTION_TO_JSON), &c->out, &err);
    free(text);
    return finish(c, code, &err);
}

int cmd_policy_schema(struct ctl *c)
{
    struct err err = ERR_INIT;
    const struct json *tools;
    const char *server = args_get(&c->args, OPTION_SERVER);
    char *text = NULL;
    size_t len;
    if (!server)
        return ctl_usage(c, "expected --server NAME");
    int code = ctl_read_file(c, c->args.words[0], TEXT_MAX, &text, &len);
    if (code)
        return code;
    if (json_parse(&c->arena, (struct str){text, len}, &JSON_LIMITS_DEFAULT, &tools, NULL, &err) <
        0)
        code = ctl_fail(c, CTL_FAILED, "%s: %s", c->args.words[0], err.text);
    else
        code = finish(c, check_schema(str_of(server), tools, &c->out, &err), &err);
    free(text);
    return code;
}
