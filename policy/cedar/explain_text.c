/*
 * explain_text.c: an explanation's JSON, as lines for people.
 */
#include "policy/cedar/explain.h"

#include "policy/text/utf8.h"

static struct str text_of(const struct json *j, const char *name)
{
    const struct json *found = json_get(j, name);

    return json_is(found, JSON_STRING) ? found->string : STR("");
}

/* Ids and texts come from files and requests: nothing in them may move a terminal's cursor. */
static void put(struct buf *out, struct str s)
{
    utf8_put_visible(out, s, 4096);
}

static void put_list(struct buf *out, const struct json *ids)
{
    for (size_t i = 0; i < ids->array.count; i++) {
        buf_cstr(out, i > 0 ? ", " : "");
        put(out, ids->array.items[i].string);
    }
}

/* `text: value`, or `text: error: ...` */
static void put_outcome(struct buf *out, const struct json *j)
{
    const struct json *value = json_get(j, "value");

    put(out, text_of(j, "text"));
    if (value) {
        buf_cstr(out, " is ");
        put(out, value->raw);
    } else {
        buf_cstr(out, " fails: ");
        put(out, text_of(j, "error"));
    }
    buf_char(out, '\n');
}

static void put_because(struct buf *out, const struct json *list)
{
    for (size_t i = 0; i < list->array.count; i++) {
        const struct json *saw = json_get(&list->array.items[i], "saw");

        buf_cstr(out, "    ");
        put_outcome(out, &list->array.items[i]);
        for (size_t k = 0; k < saw->array.count; k++) {
            buf_cstr(out, "      ");
            put_outcome(out, &saw->array.items[k]);
        }
    }
}

static void put_policy(struct buf *out, const struct json *j)
{
    struct str outcome = text_of(j, "outcome");
    const struct json *condition = json_get(j, "condition"), *was = json_get(j, "was");
    const struct json *line = json_get(j, "line");

    put(out, text_of(j, "effect"));
    buf_char(out, ' ');
    put(out, text_of(j, "id"));
    if (line)
        buf_fmt(out, " (%.*s:%" PRId64 ")", STR_FMT(text_of(j, "file")), line->integer);
    if (was) {
        buf_fmt(out, ": another %.*s: wanted ", STR_FMT(text_of(j, "scope")));
        put(out, text_of(j, "expected"));
        buf_cstr(out, ", was ");
        put(out, text_of(was, "type"));
        buf_cstr(out, "::\"");
        put(out, text_of(was, "id"));
        buf_cstr(out, "\"\n");
        return;
    }
    buf_cstr(out, ": ");
    put(out, outcome);
    buf_char(out, '\n');
    if (!condition)
        return;
    if (str_is(outcome, "error")) {
        buf_cstr(out, "  ");
        put(out, text_of(j, "error"));
        buf_char(out, '\n');
    }
    buf_fmt(out, "  %.*s { ", STR_FMT(text_of(condition, "kind")));
    put(out, text_of(condition, "text"));
    buf_cstr(out, " }\n");
    put_because(out, json_get(j, "because"));
}

static void put_text(struct buf *out, const struct json *j)
{
    const struct json *reasons = json_get(j, "reasons"), *policies = json_get(j, "policies");

    put(out, text_of(j, "decision"));
    if (reasons->array.count > 0) {
        buf_cstr(out, " by ");
        put_list(out, reasons);
    } else {
        buf_cstr(out, ": no permit is satisfied");
    }
    buf_char(out, '\n');
    for (size_t i = 0; i < policies->array.count; i++)
        put_policy(out, &policies->array.items[i]);
}

int cedar_explain_text(const struct cedar_policies *policies, const struct cedar_request *request,
                       const struct cedar_entities *entities, const struct cedar_explain *how,
                       struct arena *arena, struct buf *out, struct err *err)
{
    struct json_limits limits = {64u << 20, 64, 1u << 20};
    const struct json *tree;
    struct jout j;
    struct buf json;
    int rc;

    buf_init(&json, 16u << 20);
    jout_begin(&j, &json);
    rc = cedar_explain_json(policies, request, entities, how, arena, &j, err);
    if (rc == 0) {
        rc = jout_end(&j);
        if (rc < 0)
            rc = err_set(err, -rc, "the explanation cannot be written");
    }
    if (rc == 0)
        rc = json_parse(arena, buf_str(&json), &limits, &tree, NULL, err);
    if (rc == 0)
        put_text(out, tree);
    buf_release(&json);
    return rc;
}
