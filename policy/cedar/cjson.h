/*
 * cjson.h: JSON to values and back.
 */
#ifndef REEVE_CEDAR_CJSON_H
#define REEVE_CEDAR_CJSON_H

#include "policy/cedar/value.h"
#include "policy/text/jout.h"
#include "policy/text/json.h"

struct cedar_json_rules {
    /* {"__entity":{type,id}} and {"__extn":{fn,arg}} mean an entity and an extension value. Only
     * for what operators write: in a tool's arguments they stay plain members, so that no caller
     * names an entity. */
    bool escapes;
    bool drop_null; /* a null member is an absent one (in a list it stays an error) */
    /* A number with a fraction becomes a decimal if it fits exactly; otherwise -ERANGE. */
    bool fractions;
    /* JSON Schema of the value, or NULL. Where it says `"type":"number"`, an integer becomes a
     * decimal too, so that 500 and 500.5 are of one type for policies. Followed through properties
     * and items. */
    const struct json *schema;
};
/* As Cedar's own entity and context files. */
#define CEDAR_JSON_CEDAR ((struct cedar_json_rules){.escapes = true})
/* What strangers send: tool arguments, events. */
#define CEDAR_JSON_FACTS ((struct cedar_json_rules){.drop_null = true, .fractions = true})

/*
 * Converts a tree. Strings are borrowed from it. -EINVAL, -ERANGE (a number that is none here),
 * -ENOMEM; the error names the member: `lines: [2]: amount: 2.00001 has more than 4 decimal
 * places`.
 */
int cedar_value_from_json(struct arena *arena, const struct json *j,
                          const struct cedar_json_rules *rules, struct cedar_value *ret,
                          struct err *err) NODISCARD;
/* {"type","id"} or {"__entity":{"type","id"}}. */
int cedar_uid_from_json(struct arena *arena, const struct json *j, struct cedar_uid *ret,
                        struct err *err) NODISCARD;

/* With the escapes of Cedar's files. */
void cedar_value_to_json(struct jout *j, const struct cedar_value *v);
void cedar_uid_to_json(struct jout *j, const struct cedar_uid *uid); /* {"type","id"} */

#endif
