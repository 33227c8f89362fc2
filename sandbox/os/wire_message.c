/*
 * wire_message.c: one line <-> one JSON-RPC 2.0 message, and admission by table. Pure.
 *
 * The lines come from workers, tool servers and helpers and are hostile: what is not exactly a
 * message of the protocol is refused, unknown members at the top included, before anything looks at
 * it.
 */
#include "sandbox/os/wire.h"

struct parts {
    const struct json *version, *id, *method, *params, *result, *error;
};

static const struct {
    const char *name;
    size_t offset;
} part_table[] = {
    {"jsonrpc", offsetof(struct parts, version)}, {"id", offsetof(struct parts, id)},
    {"method", offsetof(struct parts, method)},   {"params", offsetof(struct parts, params)},
    {"result", offsetof(struct parts, result)},   {"error", offsetof(struct parts, error)},
};

/* Names are unique already: json_parse refuses duplicates. */
static int split(const struct json *v, struct parts *ret, struct err *err)
{
    *ret = (struct parts){0};
    for (size_t i = 0; i < v->object.count; i++) {
        const struct json_member *m = &v->object.members[i];
        size_t k = 0;
        while (k < ARRAY_LEN(part_table) && !str_is(m->name, part_table[k].name))
            k++;
        if (k == ARRAY_LEN(part_table))
            return err_set(err, EBADMSG, "a message has no member \"%.*s\"",
                           (int)MIN(m->name.len, 64u), m->name.ptr);
        const struct json *value = &m->value;
        memcpy((char *)ret + part_table[k].offset, &value, sizeof value);
    }
    return 0;
}

static int check_id(const struct json *id, struct err *err)
{
    if (id->type != JSON_STRING && id->type != JSON_INT)
        return err_set(err, EBADMSG, "\"id\" must be a string or an integer, not %s",
                       json_type_name(id->type));
    if (id->raw.len > WIRE_ID_MAX_BYTES)
        return err_set(err, EBADMSG, "\"id\" has %zu bytes, at most %d may be", id->raw.len,
                       WIRE_ID_MAX_BYTES);
    return 0;
}

static int parse_asking(const struct parts *p, struct wire_message *m, struct err *err)
{
    if (p->result || p->error)
        return err_set(err, EBADMSG,
                       "a message with \"method\" has neither \"result\" nor \"error\"");
    if (p->method->type != JSON_STRING || p->method->string.len == 0)
        return err_set(err, EBADMSG, "\"method\" must be a string that is not empty");
    if (p->params && p->params->type != JSON_OBJECT)
        return err_set(err, EBADMSG, "\"params\" must be an object, not %s",
                       json_type_name(p->params->type));
    m->kind = p->id ? WIRE_REQUEST : WIRE_NOTIFICATION;
    m->method = p->method->string;
    m->params = p->params;
    return 0;
}

static int parse_answer(const struct parts *p, struct wire_message *m, struct err *err)
{
    if (!p->id || (!p->result && !p->error))
        return err_set(err, EBADMSG,
                       "a message has \"method\", or \"id\" with \"result\" or \"error\"");
    if (p->params || (p->result && p->error))
        return err_set(err, EBADMSG,
                       "an answer has either \"result\" or \"error\", and no \"params\"");
    if (p->result) {
        m->kind = WIRE_RESULT;
        m->result = p->result;
        return 0;
    }
    const struct json *code = json_get(p->error, "code"), *text = json_get(p->error, "message");
    if (!json_is(p->error, JSON_OBJECT) || !json_is(code, JSON_INT) || !json_is(text, JSON_STRING))
        return err_set(err, EBADMSG,
                       "\"error\" must have an integer \"code\" and a string \"message\"");
    m->kind = WIRE_ERROR;
    m->code = code->integer;
    m->text = text->string;
    m->data = json_get(p->error, "data");
    return 0;
}

int wire_parse(struct str line, const struct wire_limits *limits, struct arena *arena,
               struct wire_message *ret, struct err *err)
{
    struct json_limits jl = {limits->max_message_bytes, limits->max_depth, limits->max_values};
    const struct json *v;
    struct parts p;
    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
        return err_set(err, EBADMSG,
                       "a message ends with a line feed alone, not with a carriage return");
    int r = json_parse(arena, line, &jl, &v, NULL, err);
    if (r < 0)
        return r;
    if (v->type == JSON_ARRAY)
        return err_set(err, EBADMSG, "a message must be an object: batches are not taken");
    if (v->type != JSON_OBJECT)
        return err_set(err, EBADMSG, "a message must be an object, not %s",
                       json_type_name(v->type));
    r = split(v, &p, err);
    if (r < 0)
        return r;
    if (!json_is(p.version, JSON_STRING) || !str_is(p.version->string, "2.0"))
        return err_set(err, EBADMSG, "\"jsonrpc\" must be \"2.0\"");
    struct wire_message m = {.id = p.id, .size_bytes = line.len, .arena = arena};
    if (p.id)
        r = check_id(p.id, err);
    if (r == 0)
        r = p.method ? parse_asking(&p, &m, err) : parse_answer(&p, &m, err);
    if (r == 0)
        *ret = m;
    return r;
}

/* ---- writing ----------------------------------------------------------------------------------
 */

static void begin(struct wire_out *o, struct buf *buf)
{
    o->buf = buf;
    o->start = buf->len;
    jout_begin(&o->j, buf);
    jout_object(&o->j);
    jout_m_cstr(&o->j, "jsonrpc", "2.0");
}

static void open_body(struct wire_out *o, const char *name)
{
    jout_name(&o->j, name);
    jout_object(&o->j);
    o->depth = o->j.depth;
}

void wire_put_request(struct wire_out *o, struct buf *buf, int64_t id, const char *method)
{
    begin(o, buf);
    jout_m_i64(&o->j, "id", id);
    jout_m_cstr(&o->j, "method", method);
    open_body(o, "params");
}

void wire_put_request_str(struct wire_out *o, struct buf *buf, struct str id, const char *method)
{
    begin(o, buf);
    jout_m_str(&o->j, "id", id);
    jout_m_cstr(&o->j, "method", method);
    open_body(o, "params");
}

void wire_put_notification(struct wire_out *o, struct buf *buf, const char *method)
{
    begin(o, buf);
    jout_m_cstr(&o->j, "method", method);
    open_body(o, "params");
}

void wire_put_result(struct wire_out *o, struct buf *buf, const struct json *id)
{
    begin(o, buf);
    jout_m_json(&o->j, "id", id);
    open_body(o, "result");
}

void wire_put_error(struct wire_out *o, struct buf *buf, const struct json *id, int64_t code,
                    const char *text)
{
    begin(o, buf);
    jout_name(&o->j, "id");
    if (id)
        jout_json(&o->j, id);
    else
        jout_null(&o->j);
    jout_name(&o->j, "error");
    jout_object(&o->j);
    jout_m_i64(&o->j, "code", code);
    jout_m_cstr(&o->j, "message", text);
    open_body(o, "data");
}

int wire_put_end(struct wire_out *o)
{
    /* A value that the caller left open must not be closed for him: it would end in the wrong
     * place. */
    bool is_open = o->j.depth != o->depth;
    for (unsigned i = 0; i < o->depth; i++)
        jout_object_end(&o->j);
    int r = jout_end(&o->j);
    if (r == 0 && is_open)
        r = -EINVAL;
    if (r == 0) {
        buf_char(o->buf, '\n');
        r = buf_status(o->buf);
    }
    if (r < 0)
        buf_truncate(o->buf, o->start);
    return r;
}

static int put_raw(struct buf *buf, struct str id_raw, const char *member, struct str value)
{
    struct wire_out o;
    begin(&o, buf);
    jout_name(&o.j, "id");
    jout_raw(&o.j, id_raw);
    jout_name(&o.j, member);
    jout_raw(&o.j, value);
    o.depth = 1;
    return wire_put_end(&o);
}

int wire_put_result_raw(struct buf *buf, struct str id_raw, struct str result)
{
    return put_raw(buf, id_raw, "result", result);
}

int wire_put_error_raw(struct buf *buf, struct str id_raw, struct str error)
{
    return put_raw(buf, id_raw, "error", error);
}

/* ---- admission --------------------------------------------------------------------------------
 */

static int refuse(int64_t *ret_code, int64_t code, struct err *err, int number,
                  const struct wire_message *m, const char *why)
{
    *ret_code = code;
    return err_set(err, number, "\"%.*s\" %s", (int)MIN(m->method.len, 128u), m->method.ptr, why);
}

const struct wire_rule *wire_admit(const struct wire_rule *rules, size_t n,
                                   const struct wire_message *m, unsigned state, uint64_t *seen,
                                   int64_t *ret_code, struct err *err)
{
    size_t i = 0;
    must(n <= 64);
    while (i < n && !(rules[i].kind == m->kind && str_is(m->method, rules[i].method)))
        i++;
    if (i == n || (m->kind != WIRE_REQUEST && m->kind != WIRE_NOTIFICATION)) {
        refuse(ret_code, WIRE_E_METHOD, err, ENOSYS, m, "is not a method here");
        return NULL;
    }
    const struct wire_rule *rule = &rules[i];
    uint64_t bit = UINT64_C(1) << i;
    if (!(rule->states & state))
        refuse(ret_code, WIRE_E_STATE, err, EPROTO, m, "is not admitted now");
    else if (rule->once && (*seen & bit))
        refuse(ret_code, WIRE_E_STATE, err, EPROTO, m, "is admitted once");
    else if (rule->max_bytes && m->size_bytes > rule->max_bytes) {
        *ret_code = WIRE_E_LIMIT;
        err_set(err, EMSGSIZE, "\"%s\" has %zu bytes, at most %zu are admitted", rule->method,
                m->size_bytes, rule->max_bytes);
    } else {
        *seen |= bit;
        return rule;
    }
    return NULL;
}
