/*
 * policies.h: a set of policies, loaded from text or JSON, checked as a whole, indexed by scope.
 *
 * Fill, then seal. A sealed set never changes. All faults of all texts are collected in one run.
 * The set owns all of its memory and borrows nothing.
 */
#ifndef REEVE_CEDAR_POLICIES_H
#define REEVE_CEDAR_POLICIES_H

#include "policy/cedar/value.h"
#include "policy/text/diag.h"
#include "policy/text/json.h"

#define CEDAR_DEPTH_MAX    100         /* nesting of an expression */
#define CEDAR_TEXT_MAX     (16u << 20) /* bytes of policy text in a set */
#define CEDAR_POLICIES_MAX 100000      /* policies, templates and links in a set */
#define CEDAR_ID_MAX       256         /* bytes of an @id */

enum cedar_effect { CEDAR_PERMIT, CEDAR_FORBID };

struct cedar_annotation {
    struct str name;
    struct str value; /* "" when none was given */
    bool has_value;
};

struct cedar_body; /* scope and conditions, see ast.h; a template and its links share the conditions
                    */

struct cedar_policy {
    struct str id;
    enum cedar_effect effect;
    const struct cedar_annotation *annotations;
    size_t annotation_count;
    struct str file;       /* name of the text it came from */
    unsigned line, column; /* of its first token, from 1; 0 when it came from JSON */
    size_t index;          /* place in the set, from 0, in order of loading */
    bool is_template;      /* has slots: takes no part in decisions, its links do */
    const struct cedar_policy *linked_from;
    const struct cedar_body *body;
};

enum cedar_ids {
    CEDAR_IDS_FILE,  /* @id("...") where given, else "file:line" */
    CEDAR_IDS_ORDER, /* policy0, policy1, ... per text, whatever the annotations say (Cedar's own
                        way) */
};

struct cedar_load {
    enum cedar_ids ids;
    bool templates; /* allow policies with slots; otherwise they are faults */
};

struct cedar_policies;

struct cedar_policies *cedar_policies_new(const struct cedar_load *how); /* NULL: out of memory */
void cedar_policies_free(struct cedar_policies *p);

/*
 * Parses one text. Faults go to diags (under `name`); parsing goes on behind each, so that all are
 * found. Returns 0 also then: look at diags_has_errors(). -ENOMEM.
 */
int cedar_policies_add_text(struct cedar_policies *p, struct str name, struct str text,
                            struct diags *diags) NODISCARD;
/* One template under an id of its own (the text holds exactly one policy with slots). */
int cedar_policies_add_template(struct cedar_policies *p, struct str id, struct str text,
                                struct diags *diags) NODISCARD;
/*
 * The JSON policy format: one policy under `id`, or a policy set ({staticPolicies, templates,
 * templateLinks}). -EINVAL with what is wrong and where ("conditions[0].body.==.left: ...");
 * -EEXIST; -E2BIG.
 */
int cedar_policies_add_json(struct cedar_policies *p, struct str id, const struct json *policy,
                            struct err *err) NODISCARD;
/* A link: the template with its slots filled. principal and resource: NULL exactly when the
 * template has no such slot (-EINVAL otherwise). -ENOENT: no such template; -EEXIST: the id is
 * taken. */
int cedar_policies_link(struct cedar_policies *p, struct str template_id, struct str id,
                        const struct cedar_uid *principal, const struct cedar_uid *resource,
                        struct err *err) NODISCARD;
/* Refuses duplicate ids (to the same diags as the texts, with where the earlier one stands) and
 * builds the index. After this the set is read-only. 0 also when it put faults into diags; -ENOMEM.
 */
int cedar_policies_seal(struct cedar_policies *p, struct diags *diags) NODISCARD;

bool cedar_policies_is_sealed(const struct cedar_policies *p);

size_t cedar_policies_count(const struct cedar_policies *p); /* templates and links included */
const struct cedar_policy *cedar_policies_at(const struct cedar_policies *p, size_t index);
const struct cedar_policy *cedar_policies_find(const struct cedar_policies *p, struct str id);
/* The annotation's value, borrowed, or NULL. */
const struct str *cedar_policy_annotation(const struct cedar_policy *p, const char *name);

/* The policy as text, laid out one clause a line; parsing it gives the same policy. */
void cedar_policy_put(struct buf *out, const struct cedar_policy *p);
/* The policy in the JSON policy format. -E2BIG: nested too deeply for JSON; buffer status. */
int cedar_policy_put_json(struct buf *out, const struct cedar_policy *p, struct err *err) NODISCARD;

#endif
