/*
 * house.h: the loaded configuration: what the operator's files say, checked, linked, digested.
 *
 * Files are `*.cedar` (policies) and `*.yaml` in one directory. A YAML file holds documents; each
 * top-level key of a document is one definition: workflow, server, model, tenant, team, access, people.
 *
 * A house never changes after it is loaded: a reload makes a new one, whoever works with the old one holds a
 * reference. All strings are NUL-terminated, borrowed from the house (or from the version, see below).
 *
 * Trust: whoever can write the files can grant. So directory and files must be writable by root and the
 * owner alone, or nothing is loaded. The texts are still read as if by a stranger: bounds, depth, UTF-8.
 */
#ifndef REEVE_POLICY_HOUSE_H
#define REEVE_POLICY_HOUSE_H

#include "policy/text/diag.h"
#include "policy/text/digest.h"
#include "policy/text/num.h"

#define HOUSE_FILES_MAX 512
#define HOUSE_FILE_BYTES_MAX (1u << 20)
#define HOUSE_BYTES_MAX (16u << 20)
#define HOUSE_WARM_MAX 256
#define HOUSE_ROUTES_MAX 16 /* of one worker */
#define HOUSE_NO_LIMIT (-1) /* in budgets: no limit was set */

struct strs {
    const struct str *items;
    size_t count;
};

struct house_pair { /* an environment variable, a header, an attribute */
    struct str name, value;
};
struct house_pairs {
    const struct house_pair *items;
    size_t count;
};

struct house_file { /* a file that a process may see */
    struct str path; /* on the host, absolute */
    struct str at;   /* inside; empty: the same */
    bool write;
};
struct house_mounts {
    const struct house_file *items;
    size_t count;
};

enum house_profile { HOUSE_PROGRAM, HOUSE_NODE, HOUSE_PYTHON }; /* kinds of program */

struct house_resources { /* of one process tree; 0: the profile's default */
    int64_t memory_bytes, processes, cpu_ms, open_files, file_bytes, tmp_bytes;
};

struct house_budget { /* HOUSE_NO_LIMIT: none */
    int64_t tokens, calls, cost_micro; /* cost in millionths of the currency */
};

/* ---- workflow ---- */

struct workflow_trigger { /* all that is given must match; `*` matches any run of bytes; empty: any */
    struct str event, source, subject;
};

struct workflow_agent {
    struct str model;  /* route */
    struct str system; /* may be empty */
    struct str prompt; /* may hold {{event.data}} and friends: see WORKFLOW_PLACEHOLDERS */
    int64_t max_turns;
    int64_t max_tokens;         /* of one answer; 0: the gateway's default */
    int64_t temperature_milli;  /* -1: the gateway's default */
    int64_t warm;               /* see workflow_warm */
};
#define WORKFLOW_PLACEHOLDERS "event.data", "event.id", "event.source", "event.subject", "event.time", "event.type"

struct workflow_program {
    struct str program; /* absolute */
    struct strs args;   /* without argv[0] */
    enum house_profile profile;
    struct house_pairs env;
    struct house_mounts files;
    struct strs models; /* routes that it may ask; policy is asked besides */
    int64_t warm; /* see workflow_warm */
};

struct workflow_limits {
    int64_t wall_ms;       /* of one attempt, while its worker lives; default 1 h */
    int64_t start_ms;      /* until run/begin; default 30 s */
    int64_t park_after_ms; /* a run that waits longer holds no process; default 1 s */
    int64_t steps;         /* of a run; default 1,000 */
    int64_t attempts;      /* default 5 */
    int64_t children;      /* that a run may start in all; default 16 */
    int64_t depth;         /* of children's children; default 3 */
    int64_t result_bytes;  /* default 1 MiB */
    int64_t message_bytes; /* of one message from the worker; default 4 MiB */
    int64_t storage_bytes; /* that a run may take on disk; default 1 GiB */
    int64_t output_bytes;  /* that a worker may write to standard error in one attempt; default 16 MiB */
    struct house_resources worker;
};

struct workflow_retry {
    int64_t initial_ms, max_ms; /* default 1 s, 5 min */
    int64_t within_ms; /* since the first of the failures in a row; default 7 d */
    int64_t factor_milli;       /* default 2000 */
};

enum workflow_of { OF_REQUESTS, OF_CALLS, OF_APPROVALS, OF_REJECTIONS, OF_FAILURES };
enum workflow_per { PER_WORKFLOW, PER_TENANT, PER_RUN };

struct workflow_counter { /* context.history.<name> */
    struct str name;
    enum workflow_of of;
    struct str sum;    /* path of a number in the arguments ("input.amount"): a decimal; empty: counts */
    struct strs tools; /* as in workflow.tools; none: every tool */
    int64_t window_ms; /* 0: since ever */
    enum workflow_per per;
};

struct workflow {
    struct str name, tenant, team; /* team may be empty */
    struct str zone;               /* IANA name for context.local; default "UTC" */
    bool is_agent, is_program;     /* exactly one: the built-in loop, or a program of its own */
    struct workflow_agent agent;
    struct workflow_program program;
    const struct workflow_trigger *triggers;
    size_t trigger_count;
    struct strs tools;  /* "server/tool" or "server/" and a pattern with `*` */
    struct strs emits;  /* event types it may emit (patterns); policy is asked besides */
    struct strs children; /* workflows it may start; policy is asked besides */
    struct strs labels; /* of every run from its start */
    struct workflow_limits limits;
    struct house_budget budget; /* of one run */
    struct workflow_retry retry;
    const struct workflow_counter *counters;
    size_t counter_count;
    int64_t retention_ms; /* of ended runs; default 30 d */
    int64_t retention_bytes; /* what its runs may take on disk before the oldest ended ones go; 0: no limit */
    int64_t concurrency;  /* runs at a time; default 16 */
    int64_t priority;     /* 0 to 9, higher first; default 5 */
    struct str key;       /* "event.data.customer": runs with the same value there go in order; empty: none */
    int64_t key_concurrency; /* of one value at a time; default 1 */
    struct str rate;      /* "60/1h": starts in any such time; empty: none */
    int64_t rate_count, rate_ms; /* the same; 0: none */
    int64_t queue;        /* runs that may wait for their start; default 100,000 */
    struct house_pairs attrs; /* strings, of the Workflow entity */
};

/* ---- tool servers ---- */

enum tool_class { TOOL_READ, TOOL_WRITE, TOOL_IRREVERSIBLE };
enum server_unlisted { UNLISTED_HIDE, UNLISTED_OFFER }; /* offered: as irreversible, never retried */
enum tool_retry { RETRY_NEVER, RETRY_READ_ONLY, RETRY_IDEMPOTENT, RETRY_VERIFY };

struct server_tool {
    struct str name;
    enum tool_class class;
    enum tool_retry retry;
    struct str verify;  /* RETRY_VERIFY: a tool of class read of the same server */
    int64_t timeout_ms; /* 0: the server's */
};

struct server {
    struct str name, tenant; /* tenant may be empty: any */
    struct strs command;     /* the first is absolute */
    enum house_profile base;
    struct house_pairs env;
    struct house_pairs secrets; /* environment variable -> file */
    struct house_mounts files;
    bool network;
    struct house_resources limits;
    int64_t timeout_ms;       /* of a call; default 30 s */
    int64_t start_timeout_ms; /* default 10 s */
    int64_t idle_ms;          /* a server that nobody used for so long is stopped; default 5 min */
    int64_t concurrency;      /* calls at a time; default 8 */
    int64_t result_bytes;     /* of a result; default 1 MiB */
    enum server_unlisted unlisted;
    const struct server_tool *tools;
    size_t tool_count;
    struct digest digest; /* of all of the above */
};

/* ---- models, tenants, teams, people, roles ---- */

enum model_api { API_CHAT_COMPLETIONS };
enum model_auth { AUTH_NONE, AUTH_BEARER, AUTH_X_API_KEY };

struct model_price { /* millionths of the currency for a million tokens, that is 10^-12 each */
    int64_t input_micro, output_micro, cached_micro;
};

struct model {
    struct str name;   /* route */
    struct str tenant; /* may be empty: any */
    struct str url;    /* up to and without "/chat/completions" */
    struct str model;  /* name at the gateway */
    enum model_api api;
    enum model_auth auth;
    struct str secret; /* file that holds the key; empty: none */
    struct str ca_file; /* may be empty */
    struct house_pairs headers;
    struct strs parameters; /* of a request, that pass besides those that only shape an answer: model_request.h */
    int64_t timeout_ms, connect_timeout_ms, max_response_bytes;
    bool onprem, allow_http;
    struct model_price price;
    struct house_pairs attrs; /* strings, of the Model entity */
    struct digest digest;
};

struct tenant {
    struct str name, region; /* region may be empty: then absent */
    struct house_pairs attrs;
    struct house_budget day, month;
    int64_t concurrency, queue; /* as of a workflow, over all of the tenant's; 0: no limit */
    int64_t storage_bytes;      /* that its runs may take on disk; 0: no limit */
};

struct team {
    struct str name, tenant;
};

struct person { /* User::"name" */
    struct str name;
    int64_t uid;         /* -1: to be looked up by name */
    struct strs teams;
};

enum access_role { ROLE_VIEWER, ROLE_OPERATOR, ROLE_APPROVER, ROLE_ADMIN, ROLE_COUNT };
struct access_rule { /* users and groups: names, or numbers as text; the caller resolves them */
    enum access_role role;
    struct strs users, groups;
};
const char *access_role_name(enum access_role r);

/* ---- the whole ---- */

struct cedar_policies; /* for policy/ alone: ask.h is how it is used */

struct house_text {
    struct str name; /* without its directory */
    struct str text;
};

struct house {
    const struct workflow *workflows;
    size_t workflow_count;
    const struct server *servers;
    size_t server_count;
    const struct model *models;
    size_t model_count;
    const struct tenant *tenants;
    size_t tenant_count;
    const struct team *teams;
    size_t team_count;
    const struct person *people;
    size_t person_count;
    const struct access_rule *access;
    size_t access_count;
    size_t policy_count;
    struct str dir;                  /* where it was loaded from */
    const struct house_text *texts;  /* of every file, in order */
    size_t text_count;
    struct house_pairs defs;         /* that were given */
    struct digest digest;            /* of names, texts and definitions: "the policy set" of a record */
    const struct cedar_policies *policies;
};

struct house_options {
    uid_t owner;             /* who may own and write the files, besides root */
    struct house_pairs defs; /* `--set name=value`: what ${name} means in the files */
};

/*
 * Reads a directory (not below it), in byte order of the names. 0: *ret is a house with one reference. -EINVAL:
 * diags holds the errors (warnings may be there in either case). -EPERM: others may write it. -ENOENT, -EACCES,
 * -EFBIG, -E2BIG, -ENOMEM. `diags` was initialised by the caller; it keeps copies of the texts.
 */
int house_load(const char *path, const struct house_options *o, struct diags *diags, struct house **ret,
               struct err *err) NODISCARD;
/* The same from texts (a set that the store kept, a test): makes no system call. `dir` is what ${dir} means. */
int house_parse(const struct house_text *texts, size_t n, struct str dir, const struct house_pairs *defs,
                struct diags *diags, struct house **ret, struct err *err) NODISCARD;
struct house *house_ref(struct house *h);
void house_unref(struct house *h); /* NULL is fine */

/* The set for the store: {"dir","defs":{},"files":[{"name","text"}]}, and back. */
int house_put_texts(const struct house *h, struct buf *out, struct err *err) NODISCARD;
int house_parse_texts(struct str json, struct diags *diags, struct house **ret, struct err *err) NODISCARD;

/* By name, or NULL. Borrowed from the house. */
const struct workflow *house_workflow(const struct house *h, struct str name);
const struct server *house_server(const struct house *h, struct str name);
const struct model *house_model(const struct house *h, struct str name);
const struct tenant *house_tenant(const struct house *h, struct str name);
const struct team *house_team(const struct house *h, struct str name);
const struct person *house_person(const struct house *h, struct str name);
const struct person *house_person_uid(const struct house *h, int64_t uid); /* only entries with a uid */

/* Whether an event with these attributes starts w. */
bool workflow_is_triggered(const struct workflow *w, struct str type, struct str source, struct str subject);
/* How many of its workers stand ready, started and behind their walls, before there is a run for them; of all
 * workflows together at most HOUSE_WARM_MAX. Default 0. */
int64_t workflow_warm(const struct workflow *w);
/* The model routes that its worker may ask, the one that it means without a word first. Borrowed from w. */
struct strs workflow_models(const struct workflow *w);
/* Whether w offers a tool of a server (by w's patterns, and the server's list or `unlisted: offer`). */
bool workflow_offers(const struct workflow *w, const struct server *s, struct str tool);
/* Whether the pattern ("ledger/pay", "ledger/x*") means this tool; tools of counters use it as well. */
bool workflow_tool_matches(struct strs patterns, struct str server, struct str tool);
/* The operator's word on a tool; for one that is not listed: irreversible, never retried. */
struct server_tool server_tool_of(const struct server *s, struct str tool);
const char *tool_class_name(enum tool_class c);
const char *tool_retry_name(enum tool_retry r);
const char *house_profile_name(enum house_profile p);

#endif
