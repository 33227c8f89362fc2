/*
 * facts.h: what a decision is made from, as plain values; and how they become a Cedar request.
 *
 * Facts are whole: they carry all that policy may look at (the request's own entities included), so the JSON
 * of facts, kept with a decision, gives the same request again a week later, against this set or another.
 * Nothing here asks the clock, the store or the host: the caller says.
 *
 * Entities made: the principal (Workflow, Source or User) in its Team in its Tenant; the action and all of its
 * groups; the resource (Tool in Server in Tenant, Model, Workflow); people who approved, in their teams. A server,
 * model or source that belongs to no tenant counts as one of the acting workflow's. Attributes from the files: a
 * whole number is a Long, true and false are Bools, all else a String.
 *
 * context.local.weekday is 1 (Monday) to 7. context.budget.spent is rounded up to four places, limit down.
 *
 * Tool arguments are converted once: null is an absent attribute; an integer is a Long; a number with a
 * fraction is a decimal if four places hold it exactly; one with an exponent is not converted. Where the tool's schema says `number` an
 * integer is a decimal too, so that a policy sees one type. What cannot be converted is a reason to deny, never
 * rounded.
 */
#ifndef REEVE_POLICY_FACTS_H
#define REEVE_POLICY_FACTS_H

#include "policy/house.h"

enum facts_ask {
    ASK_CALL,     /* Action::"call:server/tool"; groups call, call:server, and read, write or irreversible */
    ASK_PROPOSE,  /* propose:server/tool; groups propose, propose:server */
    ASK_OBLIGE,   /* oblige:server/tool; groups oblige, oblige:server */
    ASK_START,    /* a Source starts a Workflow */
    ASK_INFER,    /* a model call */
    ASK_EMIT,     /* resource: the Workflow itself; input.type, input.subject */
    ASK_DELEGATE, /* resource: the child Workflow */
    ASK_APPROVE,  /* a User decides at a gate; resource: the Tool (or the Workflow, for its own questions) */
    FACTS_ASK_COUNT
};
const char *facts_ask_name(enum facts_ask a);
/* The ask of a recorded decision: "call:ledger/pay" is ASK_CALL, "infer" ASK_INFER; false: none. */
bool facts_ask_of(struct str text, enum facts_ask *ret);

struct facts_entity_workflow { /* a Workflow, as principal or resource */
    struct str name, team, tenant; /* team may be empty */
    struct str digest;             /* of its version, hex */
    struct house_pairs attrs;
};

struct facts_tool {
    struct str server, tool, server_tenant; /* tenant may be empty */
    enum tool_class class;
    struct str digest;           /* of the tool's definition, hex */
    const struct json *schema;   /* its inputSchema, or NULL; guides conversion only */
};

struct facts_source { /* Source::"kind/name" */
    struct str kind, name, tenant; /* "command"/"alice", "webhook"/"erp" */
};

struct facts_model {
    struct str name, tenant;
    bool onprem;
    struct house_pairs attrs;
};

struct facts_user { /* User::"name" */
    struct str name;
    int64_t uid; /* -1: not known */
    struct strs teams;
    struct strs team_tenants; /* of each team, in the same order; or none */
};

struct facts_counter {
    struct str name;
    bool is_decimal;
    int64_t value; /* is_decimal: ten-thousandths */
};

struct facts_approval {
    const struct facts_user *by;
    size_t count;
    int64_t at_ms; /* when the last one that was needed came */
};

struct facts {
    enum facts_ask ask;
    int64_t now_ms;
    int64_t zone_offset_min; /* of the workflow's zone now: context.local = now + this */

    struct facts_entity_workflow workflow; /* the acting one; ASK_START: the one to be started */
    struct str tenant_region;              /* of workflow.tenant; may be empty */
    struct house_pairs tenant_attrs;

    /* the run; not for ASK_START */
    struct str run_id;
    int64_t step, depth, attempt;
    struct str started_by; /* "kind/name" of the source: context.run.source */

    /* what is left; HOUSE_NO_LIMIT becomes the largest value */
    int64_t calls_left, tokens_left, spent_micro, limit_micro;

    const struct facts_counter *history; /* including this call and those in flight */
    size_t history_count;
    struct strs labels;

    bool has_approval;
    struct facts_approval approval;

    struct facts_tool tool;     /* CALL, PROPOSE, OBLIGE, APPROVE (empty server: the workflow's own question) */
    struct facts_source source; /* START */
    struct facts_model model;   /* INFER */
    struct facts_entity_workflow target; /* DELEGATE */
    struct facts_user user;     /* APPROVE */

    /* An object or NULL: context.input. Tools: the arguments. START: the CloudEvent, as context.event: its
     * attributes, and `size`, the bytes of its data (the data itself is judged where it is used). INFER:
     * {max_tokens, ...}. EMIT: {type, subject}. */
    const struct json *input;
    int64_t event_bytes; /* START: of data that input does not hold (kept facts have none); else 0 */
};

/* A person of the house with teams and their tenants; for one that it does not list, the name alone. */
int facts_user_of(const struct house *h, struct str name, int64_t uid, struct arena *a, struct facts_user *ret,
                  struct err *err) NODISCARD;
/* What a workflow, its tenant and a tool are, by the files: fills workflow, tenant_*, labels; tool without digest
 * and schema. The version's digest is the caller's. Borrowed from what is given. */
void facts_set_workflow(struct facts *f, const struct house *h, const struct workflow *w, struct str digest);
void facts_set_tool(struct facts *f, const struct server *s, struct str tool);

/* Canonical JSON of facts (tool schemas only as the types that guided the conversion), and its digest. */
int facts_put(const struct facts *f, struct buf *out, struct digest *ret, struct err *err) NODISCARD;
/* Size of an event's data, for context.event.size. */
int64_t facts_event_size(const struct facts *f);
/* Back. Strings are borrowed from json and the arena. */
int facts_parse(struct str json, struct arena *a, struct facts *ret, struct err *err) NODISCARD;

/* Hides what paths such as "input.iban" or "input.lines.account" name (`*` as a part: every member; arrays are
 * looked through): the value becomes "***". Writes the JSON of `input` so masked. For everything that people and
 * files get to see; what was judged and sent stays whole. */
void facts_put_masked(struct jout *j, const struct json *input, struct strs paths);

#endif
