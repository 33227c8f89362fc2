/*
 * process.c: see process.h.
 */
#include "policy/process.h"

_Static_assert(HOUSE_WARM_MAX == START_WARM_MAX, "what may be asked for can be had");

static const enum start_profile profiles[] = {
    [HOUSE_PROGRAM] = PROFILE_PROGRAM,
    [HOUSE_NODE] = PROFILE_NODE,
    [HOUSE_PYTHON] = PROFILE_PYTHON,
};

void process_limits(const struct house_resources *h, struct start_limits *ret)
{
    *ret = (struct start_limits){
        .memory_bytes = (uint64_t)h->memory_bytes,
        .processes = (uint64_t)h->processes,
        .cpu_ms = (uint64_t)h->cpu_ms,
        .open_files = (uint64_t)h->open_files,
        .file_bytes = (uint64_t)h->file_bytes,
        .tmp_bytes = (uint64_t)h->tmp_bytes,
    };
}

static void add_args(struct start_request *q, struct strs args)
{
    for (size_t i = 0; i < args.count && q->argc < START_ARGV_MAX; i++)
        q->argv[q->argc++] = args.items[i];
}

static void add_env(struct start_request *q, struct house_pairs env)
{
    for (size_t i = 0; i < env.count && q->env_count < START_ENV_MAX; i++)
        q->env[q->env_count++] = (struct start_env){env.items[i].name, env.items[i].value};
}

static void add_files(struct start_request *q, struct house_mounts files)
{
    for (size_t i = 0; i < files.count && q->file_count < START_FILES_MAX; i++)
        q->files[q->file_count++] =
            (struct start_file){files.items[i].path, files.items[i].at, files.items[i].write};
}

void process_of_agent(const char *agent_program, struct start_request *ret)
{
    *ret = (struct start_request){
        .profile = PROFILE_STRICT, .channel = true, .stderr_pipe = true, .pass_fd = -1};
    ret->program = str_of(agent_program);
    ret->argv[ret->argc++] = STR("reeve-worker");
}

void process_of_workflow(const struct workflow *w, const char *agent_program, struct start_request *ret)
{
    process_of_agent(agent_program, ret);
    if (!w->is_agent) {
        ret->profile = profiles[w->program.profile];
        ret->program = ret->argv[0] = w->program.program;
        add_args(ret, w->program.args);
        add_env(ret, w->program.env);
        add_files(ret, w->program.files);
    }
    process_limits(&w->limits.worker, &ret->limits);
}

void process_of_server(const struct server *s, struct start_request *ret)
{
    *ret = (struct start_request){.profile = PROFILE_TOOL, .base = profiles[s->base], .stdio = true,
                                  .stderr_pipe = true, .network = s->network, .pass_fd = -1};
    ret->program = s->command.items[0];
    add_args(ret, s->command);
    add_env(ret, s->env);
    add_files(ret, s->files);
    for (size_t i = 0; i < s->secrets.count && ret->secret_count < START_SECRETS_MAX; i++)
        ret->secrets[ret->secret_count++] = (struct start_secret){
            s->secrets.items[i].name, s->secrets.items[i].value, SECRET_AS_ENV};
    process_limits(&s->limits, &ret->limits);
}
