/*
 * view_out.c: values of the store as JSON members. What a worker, a model or a tool wrote may be
 * any bytes: none of it may make the whole answer fail, nor grow it without bound.
 */
#include "supervisor/store/view_impl.h"

#include "policy/text/utf8.h"

#define CUT_TEXT   2048
#define DEPTH_HERE 40 /* what stands in an answer leaves room for the answer's own nesting */

void out_time(struct jout *out, const char *name, int64_t unix_ms)
{
    if (unix_ms != 0) {
        jout_m_time(out, name, unix_ms);
    } else {
        jout_name(out, name);
        jout_null(out);
    }
}

static void put_text(struct jout *out, struct str s)
{
    if (utf8_is_valid(s)) {
        jout_str(out, s);
        return;
    }
    struct buf visible;
    buf_init(&visible, 4 * s.len + 64);
    utf8_put_visible(&visible, s, 4 * s.len + 16);
    jout_str(out, buf_str(&visible));
    buf_release(&visible);
}

void out_text(struct jout *out, const char *name, struct str s)
{
    jout_name(out, name);
    put_text(out, s);
}

void out_cost(struct jout *out, const char *name, int64_t micro)
{
    jout_name(out, name);
    jout_fixed(out, micro, 6);
}

void out_hex(struct jout *out, const char *name, const struct digest *d)
{
    char text[DIGEST_HEX];
    digest_hex(d, text);
    jout_m_cstr(out, name, text);
}

void out_id(struct jout *out, const char *name, int64_t id)
{
    jout_name(out, name);
    if (id != 0)
        jout_i64(out, id);
    else
        jout_null(out);
}

void out_next(struct jout *out, int64_t id)
{
    jout_name(out, "next");
    if (id != 0)
        jout_fmt(out, "%" PRId64, id);
    else
        jout_null(out);
}

static bool put_json(struct view *v, struct jout *out, struct str text)
{
    struct json_limits limits = {DB_TEXT_MAX, DEPTH_HERE, 4u << 20};
    const struct json *tree = NULL;
    bool ok = json_parse(&v->values, text, &limits, &tree, NULL, NULL) >= 0;
    if (ok)
        jout_json(out, tree);
    arena_reset(&v->values);
    return ok;
}

void out_json(struct view *v, struct jout *out, const char *name, struct str json, const char *none)
{
    jout_name(out, name);
    if (json.len == 0)
        jout_raw(out, str_of(none));
    else if (!put_json(v, out, json))
        put_text(out, json);
}

void out_doc_text(struct view *v, struct jout *out, const char *name, struct str text, bool whole)
{
    jout_name(out, name);
    bool may_stand = whole || text.len <= VIEW_DOC_BYTES;
    if (may_stand && put_json(v, out, text))
        return;
    struct str shown = whole ? text : str_slice(text, 0, CUT_TEXT);
    if (shown.len < text.len) { /* not inside of a character, if these are characters */
        size_t valid = utf8_valid_prefix(shown);
        shown.len = shown.len - valid < 4 ? valid : shown.len;
    }
    jout_object(out);
    jout_name(out, "$cut");
    jout_object(out);
    jout_m_i64(out, "bytes", (int64_t)text.len);
    out_text(out, "text", shown);
    jout_object_end(out);
    jout_object_end(out);
}

int out_step_text(struct view *v, struct jout *out, const char *name, int64_t doc, struct str text,
                  bool whole, struct err *err)
{
    if (doc != STORE_DOC_INLINE)
        return out_doc(v, out, name, doc, whole, err);
    out_doc_text(v, out, name, text, whole);
    return 0;
}

int out_doc(struct view *v, struct jout *out, const char *name, int64_t doc, bool whole,
            struct err *err)
{
    if (doc == 0) {
        jout_name(out, name);
        jout_null(out);
        return 0;
    }
    buf_clear(&v->text);
    int r = doc_read(&v->db, doc, &v->text, err);
    if (r >= 0)
        out_doc_text(v, out, name, buf_str(&v->text), whole);
    return r;
}

void out_counts(struct jout *out, const char *name, const int64_t *counts, size_t n,
                const char *(*name_of)(int))
{
    jout_name(out, name);
    jout_object(out);
    for (size_t i = 0; i < n; i++)
        jout_m_i64(out, name_of((int)i), counts[i]);
    jout_object_end(out);
}
