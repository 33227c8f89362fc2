/*
 * cmd_sandbox.c: reeve sandbox ...: any command behind the walls of a profile. Runs in reeve, with
 * the caller's rights; the walls are made by a reeve-spawn of its own.
 */
#include <unistd.h>

#include "policy/process.h"
#include "policy/text/num.h"
#include "sandbox/os/file.h"
#include "sandbox/tool.h"
#include "supervisor/ctl/commands.h"
#include "supervisor/ctl/ctl.h"

struct prepared {
    struct sandbox_command command;
    char program[4096];
};

static int add_file(struct ctl *c, struct start_request *r, const char *path, bool write)
{
    if (path[0] != '/')
        return ctl_usage(c, "--%s: expected an absolute path, found \"%s\"",
                         write ? "write" : "read", path);
    if (r->file_count == START_FILES_MAX)
        return ctl_usage(c, "more than %d paths", START_FILES_MAX);
    r->files[r->file_count++] = (struct start_file){.path = str_of(path), .write = write};
    return CTL_GOOD;
}

static int add_env(struct ctl *c, struct start_request *r, const char *text)
{
    struct str s = str_of(text);
    ssize_t eq = str_find(s, '=', 0);
    if (eq <= 0)
        return ctl_usage(c, "--env: expected NAME=VALUE, found \"%s\"", text);
    if (r->env_count == START_ENV_MAX)
        return ctl_usage(c, "more than %d variables", START_ENV_MAX);
    r->env[r->env_count++] =
        (struct start_env){str_slice(s, 0, (size_t)eq), str_slice(s, (size_t)eq + 1, s.len)};
    return CTL_GOOD;
}

static int take_option(struct ctl *c, struct start_request *r, enum option id, const char *value)
{
    uint64_t bytes;
    switch (id) {
    case OPTION_PROFILE:
        if (start_profile_parse(str_of(value), &r->profile) < 0 || r->profile == PROFILE_HELPER)
            return ctl_usage(
                c, "--profile: expected strict, program, node, python or tool, found \"%s\"",
                value);
        return CTL_GOOD;
    case OPTION_MEMORY:
        if (num_size_bytes(str_of(value), &bytes) < 0)
            return ctl_usage(c, "--memory: expected a size such as 256M, found \"%s\"", value);
        r->limits.memory_bytes = bytes;
        return CTL_GOOD;
    case OPTION_READ:
    case OPTION_WRITE:
        return add_file(c, r, value, id == OPTION_WRITE);
    case OPTION_ENV:
        return add_env(c, r, value);
    case OPTION_NETWORK:
        r->network = true;
        return CTL_GOOD;
    default:
        return CTL_GOOD;
    }
}

static int take_command(struct ctl *c, struct prepared *p)
{
    struct start_request *r = &p->command.request;
    struct err err = ERR_INIT;
    if (c->args.rest_count > START_ARGV_MAX)
        return ctl_usage(c, "more than %d arguments of the command", START_ARGV_MAX);
    if (sandbox_find_program(c->args.rest[0], p->program, sizeof(p->program), &err) < 0)
        return ctl_fail_err(c, CTL_FAILED, &err);
    r->program = str_of(p->program);
    for (size_t i = 0; i < c->args.rest_count; i++)
        r->argv[r->argc++] = str_of(c->args.rest[i]);
    return CTL_GOOD;
}

static int prepare(struct ctl *c, struct prepared *p)
{
    struct start_request *r = &p->command.request;
    int code = CTL_GOOD;
    *p = (struct prepared){0};
    r->profile = PROFILE_PROGRAM;
    r->base = PROFILE_PROGRAM;
    r->pass_fd = -1;
    for (size_t i = 0; i < c->args.option_count && !code; i++)
        code = take_option(c, r, c->args.options[i].id, c->args.options[i].value);
    p->command.json = c->json;
    return code ? code : take_command(c, p);
}

int cmd_sandbox_run(struct ctl *c)
{
    struct prepared p;
    struct err err = ERR_INIT;
    int status = 0, code = prepare(c, &p);
    if (code)
        return code;
    if (sandbox_run(&p.command, &status, &err) < 0)
        return ctl_fail_err(c, CTL_FAILED, &err);
    return status;
}

/* The walls of a workflow of a directory: its own process's. */
static int prepare_workflow(struct ctl *c, struct house *house, struct prepared *p)
{
    struct err err = ERR_INIT;
    const struct workflow *w = house_workflow(house, str_of(c->args.words[0]));
    if (!w)
        return ctl_fail(c, CTL_NOT_FOUND, "no workflow %s in that directory", c->args.words[0]);
    char dir[sizeof(p->program) - 64];
    if (file_program_dir(dir, sizeof(dir), &err) < 0)
        return ctl_fail_err(c, CTL_FAILED, &err);
    snprintf(p->program, sizeof(p->program), "%s/reeve-worker", dir); /* the built tree, or: */
    if (access(p->program, F_OK) != 0)
        snprintf(p->program, sizeof(p->program), "%s/../libexec/reeve/reeve-worker", dir);
    process_of_workflow(w, p->program, &p->command.request);
    p->command.json = c->json;
    return CTL_GOOD;
}

int cmd_sandbox_explain(struct ctl *c)
{
    struct prepared p = {0};
    struct err err = ERR_INIT;
    struct house *house = NULL;
    int code;
    if (c->args.word_count) {
        const char *dir = args_get(&c->args, OPTION_POLICY);
        code = ctl_load_house(c, dir ? dir : "/etc/reeve", &house);
        if (!code)
            code = prepare_workflow(c, house, &p);
    } else if (c->args.rest_count) {
        code = prepare(c, &p);
    } else {
        code = ctl_usage(c, "expected a WORKFLOW (with --policy DIR), or -- COMMAND");
    }
    if (!code && sandbox_explain(&p.command, &c->out, &err) < 0)
        code = ctl_fail_err(c, CTL_FAILED, &err);
    house_unref(house);
    return code;
}

int cmd_sandbox_learn(struct ctl *c)
{
    struct prepared p;
    struct err err = ERR_INIT;
    int status = 0, code = prepare(c, &p);
    if (code)
        return code;
    if (sandbox_learn(&p.command, &c->out, &status, &err) < 0)
        return ctl_fail_err(c, CTL_FAILED, &err);
    return status;
}
