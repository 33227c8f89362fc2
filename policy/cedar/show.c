/*
 * show.c: values as Cedar text.
 */
#include "policy/cedar/escape.h"
#include "policy/cedar/ext.h"
#include "policy/cedar/value.h"

void cedar_uid_put(struct buf *out, const struct cedar_uid *uid)
{
    buf_str_put(out, uid->type);
    buf_cstr(out, "::");
    cedar_escape_put(out, uid->id);
}

static void put_name(struct buf *out, struct str name)
{
    if (cedar_ident_is_ok(name))
        buf_str_put(out, name);
    else
        cedar_escape_put(out, name);
}

static void put_set(struct buf *out, const struct cedar_value *v)
{
    buf_char(out, '[');
    for (size_t i = 0; i < v->set.count; i++) {
        buf_cstr(out, i > 0 ? ", " : "");
        cedar_value_put(out, &v->set.items[i]);
    }
    buf_char(out, ']');
}

static void put_record(struct buf *out, const struct cedar_value *v)
{
    buf_char(out, '{');
    for (size_t i = 0; i < v->record.count; i++) {
        buf_cstr(out, i > 0 ? ", " : "");
        put_name(out, v->record.fields[i].name);
        buf_cstr(out, ": ");
        cedar_value_put(out, &v->record.fields[i].value);
    }
    buf_char(out, '}');
}

void cedar_value_put(struct buf *out, const struct cedar_value *v)
{
    switch (v->type) {
    case CEDAR_BOOL:
        buf_cstr(out, v->boolean ? "true" : "false");
        break;
    case CEDAR_LONG:
        buf_fmt(out, "%" PRId64, v->number);
        break;
    case CEDAR_STRING:
        cedar_escape_put(out, v->string);
        break;
    case CEDAR_ENTITY:
        cedar_uid_put(out, v->entity);
        break;
    case CEDAR_SET:
        put_set(out, v);
        break;
    case CEDAR_RECORD:
        put_record(out, v);
        break;
    case CEDAR_DECIMAL:
    case CEDAR_IP:
    case CEDAR_DATETIME:
    case CEDAR_DURATION:
        cedar_ext_put(out, v);
        break;
    }
}
