/*
 * schema.h: do a tool's arguments fit its inputSchema? JSON Schema 2020-12 (and draft-07 where they agree).
 *
 * Checked: type, enum, const, properties, required, additionalProperties, patternProperties (a plain prefix
 * `^abc` only), propertyNames, minProperties, maxProperties, dependentRequired, items, prefixItems, contains,
 * minItems, maxItems, uniqueItems, minLength, maxLength, minimum, maximum, exclusiveMinimum, exclusiveMaximum,
 * multipleOf, allOf, anyOf, oneOf, not, if/then/else, $ref within the document (`#`, `#/$defs/x`,
 * `#/definitions/x`), boolean schemas. Numbers are compared exactly, as decimals.
 *
 * Not checked, and reported so: pattern, format, and what else constrains but is not in the list. The schema is
 * a courtesy to the model (early, exact errors); policy decides, and the server checks again. A `$ref` that
 * leaves the document is never followed.
 *
 * Both texts are foreign: work is bounded, and a schema over the bounds is refused as a whole.
 */
#ifndef REEVE_POLICY_SCHEMA_H
#define REEVE_POLICY_SCHEMA_H

#include "policy/text/buf.h"
#include "policy/text/json.h"

#define SCHEMA_WORK_MAX 200000 /* schema nodes visited for one value */
#define SCHEMA_DEPTH_MAX 64
#define SCHEMA_PROBLEMS_MAX 16

struct schema_result {
    bool fits;
    size_t problem_count;  /* all; the first SCHEMA_PROBLEMS_MAX are written */
    bool unchecked;        /* the schema uses words that are not checked */
    char unchecked_word[32]; /* the first of them */
};

/*
 * 0: checked, see *ret; each problem is a line in `problems`: `arguments.amount: expected a number, got a string`.
 * `root` is what the value is called ("arguments"). -ENOTSUP: the schema cannot be used (not an object or
 * boolean, a wrong keyword value, a $ref that leaves it or leads nowhere); -E2BIG: over a bound.
 */
int schema_check(const struct json *schema, const struct json *value, const char *root,
                 struct buf *problems, struct schema_result *ret, struct err *err) NODISCARD;
/* Is the schema itself usable? Run it when a tool is listed. */
int schema_is_usable(const struct json *schema, struct err *err) NODISCARD;

#endif
