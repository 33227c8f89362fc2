/*
 * fault.c: evaluation errors as text. Names types, attributes and entities; never a value of the
 * context, so that the text may be logged.
 */
#include "policy/cedar/eval.h"
#include "policy/cedar/ext.h"

#include "policy/text/utf8.h"

/* "a set or an entity" */
static void put_types(struct buf *out, unsigned wanted)
{
    bool first = true;

    for (unsigned t = 0; t <= CEDAR_DURATION; t++) {
        if (!(wanted & (1u << t)))
            continue;
        buf_fmt(out, "%s%s", first ? "" : " or ", cedar_type_name((enum cedar_type)t));
        first = false;
    }
}

static void put_name(struct buf *out, struct str s)
{
    buf_char(out, '`');
    utf8_put_visible(out, s, 128);
    buf_char(out, '`');
}

static void put_entity(struct buf *out, const struct cedar_uid *uid)
{
    buf_char(out, '`');
    utf8_put_visible(out, uid->type, 64);
    buf_cstr(out, "::\"");
    utf8_put_visible(out, uid->id, 128);
    buf_cstr(out, "\"`");
}

static void put_fault(struct buf *out, const struct cedar_fault *f)
{
    switch (f->code) {
    case CEDAR_FAULT_TYPE:
        put_types(out, f->wanted);
        buf_fmt(out, " was expected here, not %s", cedar_type_name(f->got));
        break;
    case CEDAR_FAULT_NO_ENTITY:
        buf_cstr(out, "there is no entity ");
        put_entity(out, f->entity);
        break;
    case CEDAR_FAULT_NO_ATTR:
        if (f->entity)
            put_entity(out, f->entity);
        else
            buf_cstr(out, "the record");
        buf_cstr(out, " has no attribute ");
        put_name(out, f->name);
        break;
    case CEDAR_FAULT_NO_TAG:
        put_entity(out, f->entity);
        buf_cstr(out, " has no such tag");
        break;
    case CEDAR_FAULT_OVERFLOW:
        buf_cstr(out, "the result does not fit 64 bits");
        break;
    case CEDAR_FAULT_ARITY: {
        const struct cedar_ext_fn *fn = cedar_ext_at(f->at->fn);

        buf_fmt(out, "`%s` takes %u argument%s", fn->name, fn->arity - (fn->is_method ? 1u : 0u),
                fn->arity - (fn->is_method ? 1 : 0) == 1 ? "" : "s");
        break;
    }
    case CEDAR_FAULT_EXT:
        buf_fmt(out, "`%s`: %s", cedar_ext_at(f->at->fn)->name, f->why);
        break;
    case CEDAR_FAULT_NONE:
        break;
    }
}

/* Line and column of a place in the policy, counted on from where the policy begins. */
static void put_place(struct buf *out, const struct cedar_policy *policy,
                      const struct cedar_expr *at)
{
    const struct cedar_body *body = policy->body;
    unsigned line = policy->line, column = policy->column;
    struct str before;

    if (line == 0) {
        utf8_put_visible(out, policy->id, 128);
        return;
    }
    before = str_slice(body->text, 0, at->at - body->at);
    for (size_t i = 0; i < before.len; i++) {
        if (before.ptr[i] == '\n') {
            line++;
            column = 1;
        } else if (((unsigned char)before.ptr[i] & 0xc0) != 0x80) {
            column++;
        }
    }
    utf8_put_visible(out, policy->file, 128);
    buf_fmt(out, ":%u:%u", line, column);
}

struct str cedar_fault_text(struct arena *arena, const struct cedar_policy *policy,
                            const struct cedar_fault *fault)
{
    /* On the stack, and never grown: the decision path allocates from its arena only. Cut when
     * full. */
    char room[1024];
    struct buf out = {.ptr = room, .cap = sizeof(room), .max = sizeof(room) - 1};

    put_place(&out, policy, fault->at);
    buf_cstr(&out, ": ");
    put_fault(&out, fault);
    return arena_str(arena, buf_str(&out));
}
