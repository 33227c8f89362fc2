/*
 * parse.c: policies: annotations, effect, scope, conditions. A fault ends one policy only, the next
 * is read again, so that all faults of a text show in one run.
 */
#include "policy/cedar/parse.h"

#include <stdio.h>

static const char *const effects[] = {"permit", "forbid"};

void cedar_parser_init(struct cedar_parser *p, struct arena *arena, struct str text,
                       struct diags *diags, size_t file)
{
    *p = (struct cedar_parser){
        .arena = arena, .text = text, .diags = diags, .file = file, .lexer = {.text = text}};
    cedar_parser_step(p);
    p->last_end = 0;
}

/* ---- annotations ---- */

struct notes {
    struct cedar_annotation items[CEDAR_ANNOTATIONS_MAX];
    size_t count;
};

static void add_note(struct cedar_parser *p, struct notes *notes, struct cedar_annotation note,
                     size_t at)
{
    for (size_t i = 0; i < notes->count; i++)
        if (str_eq(notes->items[i].name, note.name)) {
            cedar_parser_fault(p, at, p->last_end, NULL, "the annotation @%.*s stands twice",
                               STR_FMT(note.name));
            return;
        }
    if (notes->count == ARRAY_LEN(notes->items)) {
        cedar_parser_stop(p, at, p->last_end, NULL, "more than %d annotations",
                          CEDAR_ANNOTATIONS_MAX);
        return;
    }
    notes->items[notes->count++] = note;
}

/* @name or @name("value"), any number of them. */
static void annotations(struct cedar_parser *p, struct notes *notes, struct cedar_parsed *ret)
{
    while (!p->stopped && cedar_parser_is(p, "@")) {
        struct cedar_annotation note = {.value = STR("")};
        size_t at = p->now.at;
        struct cedar_token t;

        cedar_parser_step(p);
        t = p->now;
        if (t.kind != TOKEN_IDENT) {
            cedar_parser_unexpected(p, "an annotation's name");
            return;
        }
        note.name = cedar_parser_text(p, t);
        cedar_parser_step(p);
        if (cedar_parser_take(p, "(")) {
            t = p->now;
            if (t.kind != TOKEN_STRING) {
                cedar_parser_unexpected(p, "a string");
                return;
            }
            note.value = cedar_parse_string(p, t);
            note.has_value = true;
            cedar_parser_step(p);
            if (!cedar_parser_want(p, ")"))
                return;
        }
        if (str_is(note.name, "id")) {
            ret->id_at = t.at;
            ret->id_end = t.end;
        }
        add_note(p, notes, note, at);
    }
}

static void keep_notes(struct cedar_parser *p, const struct notes *notes, struct cedar_parsed *ret)
{
    struct cedar_annotation *kept;

    if (p->stopped || notes->count == 0)
        return;
    kept = ARENA_ARRAY(p->arena, notes->count, struct cedar_annotation);
    if (!kept) {
        cedar_parser_fail(p, -ENOMEM, 0, 0);
        return;
    }
    memcpy(kept, notes->items, notes->count * sizeof(*kept));
    ret->annotations = kept;
    ret->annotation_count = notes->count;
}

/* ---- scope ---- */

struct uids {
    struct cedar_uid *items;
    size_t count, cap;
};

static void add_uid(struct cedar_parser *p, struct uids *uids, struct cedar_uid uid)
{
    if (uids->count == uids->cap) {
        size_t cap = uids->cap ? 2 * uids->cap : 1;
        struct cedar_uid *more = ARENA_ARRAY(p->arena, cap, struct cedar_uid);

        if (!more) {
            cedar_parser_fail(p, -ENOMEM, 0, 0);
            return;
        }
        if (uids->count > 0)
            memcpy(more, uids->items, uids->count * sizeof(*more));
        uids->items = more;
        uids->cap = cap;
    }
    uids->items[uids->count++] = uid;
}

/* Type::"id", parentheses allowed around it; for an action its type must be one of actions. */
static void scope_entity(struct cedar_parser *p, unsigned part, struct uids *uids)
{
    struct str type, id;
    size_t at, open = 0;

    while (cedar_parser_take(p, "("))
        open++;
    at = p->now.at;
    if (p->now.kind == TOKEN_SLOT || p->now.kind != TOKEN_IDENT) {
        cedar_parser_unexpected(p, "an entity such as Type::\"id\"");
        return;
    }
    if (!cedar_parse_path(p, &type, &id))
        return;
    if (!id.ptr) {
        cedar_parser_stop(p, at, p->last_end, "an entity such as Type::\"id\"",
                          "`%.*s` is no entity", STR_FMT(type));
        return;
    }
    if (part == CEDAR_PART_ACTION && !cedar_name_is_action(type))
        cedar_parser_fault(p, at, p->last_end, "an entity such as Action::\"read\"",
                           "`%.*s` is no type of actions", STR_FMT(type));
    add_uid(p, uids, cedar_uid_borrow(type, id));
    while (open-- > 0)
        if (!cedar_parser_want(p, ")"))
            return;
}

/* [A::"x", A::"y"] behind `action in`. A list of one is that one. */
static void scope_list(struct cedar_parser *p, struct uids *uids, struct cedar_scope *scope)
{
    cedar_parser_step(p); /* the bracket */
    while (!p->stopped && !cedar_parser_is(p, "]")) {
        scope_entity(p, CEDAR_PART_ACTION, uids);
        if (!cedar_parser_take(p, ","))
            break;
    }
    if (!p->stopped && cedar_parser_want(p, "]"))
        scope->op = uids->count == 1 ? CEDAR_SCOPE_IN : CEDAR_SCOPE_IN_LIST;
}

static void scope_slot(struct cedar_parser *p, unsigned part, struct cedar_scope *scope)
{
    struct str name = str_slice(p->text, p->now.at + 1u, p->now.end);

    if (part == CEDAR_PART_ACTION || !str_is(name, cedar_part_name(part))) {
        cedar_parser_stop(p, p->now.at, p->now.end,
                          part == CEDAR_PART_PRINCIPAL ? "?principal"
                          : part == CEDAR_PART_ACTION  ? "an entity such as Action::\"read\""
                                                       : "?resource",
                          "the slot ?%.*s cannot stand here", STR_FMT(name));
        return;
    }
    scope->slot = true;
    cedar_parser_step(p);
}

/* What stands behind == or in. */
static void scope_target(struct cedar_parser *p, unsigned part, struct cedar_scope *scope)
{
    struct cedar_lexer start = p->lexer;
    struct cedar_token first = p->now;
    uint32_t last_end = p->last_end;
    struct uids uids = {0};
    size_t open = 0;

    while (cedar_parser_take(p, "("))
        open++;
    if (p->now.kind == TOKEN_SLOT) {
        scope_slot(p, part, scope);
    } else if (part == CEDAR_PART_ACTION && scope->op == CEDAR_SCOPE_IN &&
               cedar_parser_is(p, "[")) {
        scope_list(p, &uids, scope);
    } else { /* an entity reads its own parentheses */
        p->lexer = start;
        p->now = first;
        p->last_end = last_end;
        open = 0;
        scope_entity(p, part, &uids);
    }
    while (!p->stopped && open-- > 0)
        if (!cedar_parser_want(p, ")"))
            return;
    scope->uids = uids.items;
    scope->count = uids.count;
}

static void scope_is(struct cedar_parser *p, unsigned part, struct cedar_scope *scope)
{
    uint32_t at = p->now.at;
    struct str id;

    if (part == CEDAR_PART_ACTION) {
        cedar_parser_stop(p, at, p->now.end, "`==` or `in`", "`is` cannot be asked of the action");
        return;
    }
    cedar_parser_step(p);
    at = p->now.at;
    if (!cedar_parse_path(p, &scope->type, &id))
        return;
    if (id.ptr)
        cedar_parser_fault(p, at, p->last_end, "a type, or `==`", "behind `is` stands a type");
    scope->op = CEDAR_SCOPE_IS;
    if (!cedar_parser_take(p, "in"))
        return;
    scope->op = CEDAR_SCOPE_IS_IN;
    scope_target(p, part, scope);
}

/* `principal`, or with ==, in, is. */
static void scope_part(struct cedar_parser *p, unsigned part, struct cedar_scope *scope)
{
    const char *name = cedar_part_name(part);

    *scope = (struct cedar_scope){.op = CEDAR_SCOPE_ANY};
    if (!cedar_parser_is(p, name)) {
        char expected[24];

        snprintf(expected, sizeof(expected), "`%s`", name);
        cedar_parser_unexpected(p, expected);
        return;
    }
    cedar_parser_step(p);
    if (cedar_parser_take(p, "==")) {
        scope->op = CEDAR_SCOPE_EQ;
        scope_target(p, part, scope);
    } else if (cedar_parser_take(p, "in")) {
        scope->op = CEDAR_SCOPE_IN;
        scope_target(p, part, scope);
    } else if (cedar_parser_is(p, "is")) {
        scope_is(p, part, scope);
    } else if (!cedar_parser_is(p, ",") && !cedar_parser_is(p, ")")) {
        cedar_parser_unexpected(p, "`,`, `==`, `in` or `is`");
    }
}

static void scope(struct cedar_parser *p, struct cedar_body *body)
{
    if (!cedar_parser_want(p, "("))
        return;
    for (unsigned part = 0; part < CEDAR_PARTS && !p->stopped; part++) {
        scope_part(p, part, &body->scope[part]);
        if (!p->stopped && part + 1 < CEDAR_PARTS && !cedar_parser_want(p, ","))
            return;
    }
    if (p->stopped)
        return;
    cedar_parser_take(p, ",");
    cedar_parser_want(p, ")");
}

/* ---- conditions ---- */

static bool add_condition(struct cedar_parser *p, struct cedar_body *body, size_t *cap,
                          struct cedar_condition condition)
{
    struct cedar_condition *items;

    if (body->condition_count == *cap) {
        size_t more = *cap ? 2 * *cap : 2;

        items = ARENA_ARRAY(p->arena, more, struct cedar_condition);
        if (!items) {
            cedar_parser_fail(p, -ENOMEM, 0, 0);
            return false;
        }
        if (*cap > 0)
            memcpy(items, body->conditions, *cap * sizeof(*items));
        body->conditions = items;
        *cap = more;
    } else {
        items = (struct cedar_condition *)(uintptr_t)body->conditions;
    }
    items[body->condition_count++] = condition;
    return true;
}

static void conditions(struct cedar_parser *p, struct cedar_body *body)
{
    size_t cap = 0;

    while (!p->stopped && (cedar_parser_is(p, "when") || cedar_parser_is(p, "unless"))) {
        struct cedar_condition c = {.unless = cedar_parser_is(p, "unless")};

        cedar_parser_step(p);
        if (!cedar_parser_want(p, "{"))
            return;
        if (cedar_parser_is(p, "}")) {
            cedar_parser_stop(p, p->now.at, p->now.end, "an expression, such as true",
                              "a condition cannot be empty");
            return;
        }
        c.expr = cedar_parse_expr(p);
        if (c.expr && !cedar_parser_is(p, "}"))
            cedar_parser_unexpected(p, "an operator or `}`");
        cedar_parser_take(p, "}");
        if (p->stopped || !add_condition(p, body, &cap, c))
            return;
    }
    if (!p->stopped && !cedar_parser_take(p, ";"))
        cedar_parser_unexpected(p, "`when`, `unless` or `;`");
}

/* ---- a policy ---- */

static void effect(struct cedar_parser *p, enum cedar_effect *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(effects); i++)
        if (cedar_parser_take(p, effects[i])) {
            *ret = (enum cedar_effect)i;
            return;
        }
    cedar_parser_unexpected(p, "`permit` or `forbid`");
}

static bool may_begin_policy(const struct cedar_parser *p)
{
    return p->now.kind == TOKEN_END || cedar_parser_is(p, "@") || cedar_parser_is(p, effects[0]) ||
           cedar_parser_is(p, effects[1]);
}

/* Behind a fault: to the end of a statement that a policy could follow. */
static void skip_policy(struct cedar_parser *p)
{
    while (p->now.kind != TOKEN_END) {
        bool ends = cedar_parser_is(p, ";");

        cedar_parser_step(p);
        if (ends && may_begin_policy(p))
            return;
    }
}

int cedar_parse_policy(struct cedar_parser *p, struct cedar_parsed *ret)
{
    struct cedar_body *body;
    struct notes notes = {.count = 0};

    p->stopped = 0;
    p->faulty = false;
    p->depth = 0;
    if (p->now.kind == TOKEN_END)
        return 0;
    *ret = (struct cedar_parsed){.at = p->now.at, .id_at = p->now.at, .id_end = p->now.end};
    body = ARENA_NEW(p->arena, struct cedar_body);
    if (!body)
        return -ENOMEM;
    body->at = ret->at;
    annotations(p, &notes, ret);
    keep_notes(p, &notes, ret);
    if (!p->stopped)
        effect(p, &ret->effect);
    if (!p->stopped)
        scope(p, body);
    if (!p->stopped)
        conditions(p, body);
    if (p->stopped == ENOMEM)
        return -ENOMEM;
    if (p->stopped)
        skip_policy(p);
    ret->end = p->last_end;
    ret->body = body;
    ret->has_slots =
        body->scope[CEDAR_PART_PRINCIPAL].slot || body->scope[CEDAR_PART_RESOURCE].slot;
    body->text = str_slice(p->text, ret->at, ret->end);
    return p->faulty ? -EINVAL : 1;
}
