/*
 * doc.c: documents. A conversation grows at its end: each request of a model repeats all that was
 * said before. So the items of "messages" or "input" are a chain of nodes, each named by the digest
 * of the chain up to it; a request that goes on from an earlier one finds that one's last node and
 * adds only what is new. What stands before and after the items (model, tools, ...) are two pieces,
 * which are the same each turn.
 *
 * Runs in reeved; reading also in reeve-control. Documents come from workers and models: any text
 * at all.
 */
#include "supervisor/store/internal.h"

#include "policy/text/json.h"

#define CHAIN_MIN 1024 /* a shorter document is kept as it is */

/* The one array of a document that is worth a chain. */
static const struct json *find_items(const struct json *v)
{
    static const char *const names[] = {"messages", "input"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const struct json *items = json_get(v, names[i]);
        if (json_is(items, JSON_ARRAY) && items->array.count > 0)
            return items;
    }
    return NULL;
}

static const struct json *find_chain(const struct json *v)
{
    if (!json_is(v, JSON_OBJECT))
        return NULL;
    const struct json *items = find_items(v);
    for (size_t i = 0; i < v->object.count && items == NULL; i++)
        if (json_is(&v->object.members[i].value, JSON_OBJECT))
            items = find_items(&v->object.members[i].value);
    return items;
}

/* Whether "[item,item]" is the text to the byte, so that joining the items gives it back. */
static bool is_tight(struct str text, const struct json *items)
{
    const char *at = items->array.items[0].raw.ptr - 1;
    for (size_t i = 0; i < items->array.count; i++) {
        struct str raw = items->array.items[i].raw;
        if (raw.ptr != at + 1 || *at != (i == 0 ? '[' : ','))
            return false;
        at = raw.ptr + raw.len;
    }
    return at < text.ptr + text.len && *at == ']';
}

static struct digest chain_digest(const struct digest *before, struct str item)
{
    struct str parts[] = {{(const char *)before->bytes, sizeof(before->bytes)}, item};
    return digest_of_parts(parts, ARRAY_LEN(parts));
}

static int node_find(struct store *s, const struct digest *d, int64_t *ret, struct err *err)
{
    struct query q = query_on(&s->db, SQL_NODE_FIND);
    query_put_digest(&q, *d);
    int r = query_step(&q, err);
    if (r <= 0)
        return r;
    *ret = query_i64(&q);
    r = query_done(&q, err);
    return r < 0 ? r : 1;
}

static int node_add(struct store *s, int64_t parent, size_t depth, const struct digest *d,
                    struct str item, int64_t *ret, struct err *err)
{
    struct piece piece;
    int r = piece_keep(s, item, &piece, err);
    if (r < 0)
        return r;
    struct query q = query_on(&s->db, SQL_NODE_ADD);
    if (parent != 0)
        query_put_i64(&q, parent);
    else
        query_put_null(&q);
    query_put_i64(&q, (int64_t)depth);
    query_put_digest(&q, *d);
    query_put_piece(&q, &piece);
    s->unclaimed += ROW_TAKES + (piece.blob ? 0 : (int64_t)item.len);
    r = query_run(&q, err);
    *ret = sqlite3_last_insert_rowid(s->db.handle);
    return MIN(r, 0);
}

/* The node of the whole array; shares the longest chain that is already there. */
static int chain_put(struct store *s, const struct json *items, int64_t *ret_node, struct err *err)
{
    size_t n = items->array.count;
    struct digest *digests = ARENA_ARRAY(&s->parse, n, struct digest);
    if (digests == NULL)
        return err_set(err, ENOMEM, "store: out of memory for %zu items", n);
    struct digest d = {0};
    for (size_t i = 0; i < n; i++)
        digests[i] = d = chain_digest(&d, items->array.items[i].raw);
    /* From the end: a conversation goes on from a turn or two ago. */
    int64_t node = 0;
    size_t have = n;
    int r = 0;
    while (have > 0 && (r = node_find(s, &digests[have - 1], &node, err)) == 0)
        have--;
    for (size_t i = have; i < n && r >= 0; i++)
        r = node_add(s, node, i + 1, &digests[i], items->array.items[i].raw, &node, err);
    *ret_node = node;
    return MIN(r, 0);
}

/* The array to chain, or NULL; borrowed from text and s->parse. */
static int find_in(struct store *s, struct str text, const struct json **ret, struct err *err)
{
    *ret = NULL;
    if (text.len < CHAIN_MIN)
        return 0;
    const struct json *v = NULL;
    int r = json_parse(&s->parse, text, &JSON_LIMITS_DEFAULT, &v, NULL, err);
    if (r == -ENOMEM)
        return r;
    if (r < 0)
        return 0; /* no JSON, or not ours to take apart: one text */
    const struct json *items = find_chain(v);
    if (items != NULL && is_tight(text, items))
        *ret = items;
    return 0;
}

static void fresh_add(struct store *s, int64_t doc)
{
    if (s->fresh_count ==
        FRESH_MAX) /* the oldest loses its free reference, and is then never deleted */
        memmove(s->fresh, s->fresh + 1, --s->fresh_count * sizeof(s->fresh[0]));
    s->fresh[s->fresh_count++] = doc;
}

static bool fresh_take(struct store *s, int64_t doc)
{
    for (size_t i = s->fresh_count; i-- > 0;)
        if (s->fresh[i] == doc) {
            memmove(&s->fresh[i], &s->fresh[i + 1], (--s->fresh_count - i) * sizeof(s->fresh[0]));
            return true;
        }
    return false;
}

static int doc_add(struct store *s, const struct piece *head, int64_t node,
                   const struct piece *tail, int64_t *ret_doc, struct err *err)
{
    struct query q = query_on(&s->db, SQL_DOC_ADD);
    query_put_i64(&q, s->last_doc + 1);
    query_put_piece(&q, head);
    if (node != 0) {
        query_put_i64(&q, node);
        query_put_piece(&q, tail);
    } else {
        query_put_null(&q);
        query_put_null(&q);
    }
    int r = query_run(&q, err);
    if (r < 0)
        return r;
    s->unclaimed += ROW_TAKES + (head->blob ? 0 : (int64_t)head->text.len) +
                    (node == 0 || tail->blob ? 0 : (int64_t)tail->text.len);
    *ret_doc = ++s->last_doc;
    fresh_add(s, *ret_doc);
    return 0;
}

int store_doc_put(struct store *s, struct str text, int64_t *ret_doc, struct err *err)
{
    if (text.len > DB_TEXT_MAX)
        return err_set(err, E2BIG, "store: a document of %zu bytes; at most %zu are kept", text.len,
                       DB_TEXT_MAX);
    const struct json *items;
    int r = store_change(s, err);
    if (r >= 0)
        r = find_in(s, text, &items, err);
    int64_t node = 0;
    struct piece head, tail = {0};
    struct str front = text;
    if (r >= 0 && items != NULL) {
        const struct str *last = &items->array.items[items->array.count - 1].raw;
        front.len = (size_t)(items->array.items[0].raw.ptr - text.ptr);
        r = chain_put(s, items, &node, err);
        if (r >= 0)
            r = piece_keep(s, str_slice(text, (size_t)(last->ptr - text.ptr) + last->len, text.len),
                           &tail, err);
    }
    if (r >= 0)
        r = piece_keep(s, front, &head, err);
    if (r >= 0)
        r = doc_add(s, &head, node, &tail, ret_doc, err);
    arena_reset(&s->parse);
    return r;
}

static int damaged(int64_t doc, struct err *err)
{
    return err_set(err, EUCLEAN, "store: document %" PRId64 " is damaged: its chain is broken",
                   doc);
}

/* Ids of the chain that ends in `node`, first item first. The depth that each row holds must fall
 * by one, so that no damage makes this loop for ever. */
static int chain_ids(struct db *db, int64_t doc, int64_t node, int64_t **ret, size_t *ret_count,
                     struct err *err)
{
    int64_t *ids = NULL;
    size_t count = 0, left = 0;
    while (node != 0) {
        struct query q = query_on(db, SQL_NODE_UP);
        query_put_i64(&q, node);
        int r = query_step(&q, err);
        int64_t parent = r > 0 ? query_i64(&q) : 0, depth = r > 0 ? query_i64(&q) : 0;
        query_end(&q);
        if (r > 0 && ids == NULL && depth > 0 && depth <= (int64_t)JSON_LIMITS_DEFAULT.max_values) {
            count = left = (size_t)depth;
            ids = calloc(count, sizeof(*ids));
            if (ids == NULL)
                return err_set(err, ENOMEM, "store: out of memory for %zu items", count);
        }
        if (r <= 0 || ids == NULL || depth != (int64_t)left) {
            free(ids);
            return r < 0 ? r : damaged(doc, err);
        }
        ids[--left] = node;
        node = parent;
    }
    if (left != 0) {
        free(ids);
        return damaged(doc, err);
    }
    *ret = ids;
    *ret_count = count;
    return 0;
}

static int chain_read(struct db *db, int64_t doc, int64_t node, struct buf *out, struct err *err)
{
    int64_t *ids = NULL;
    size_t count = 0;
    int r = chain_ids(db, doc, node, &ids, &count, err);
    for (size_t i = 0; i < count && r >= 0; i++) {
        struct query q = query_on(db, SQL_NODE_ITEM);
        query_put_i64(&q, ids[i]);
        r = query_step(&q, err);
        if (r == 0)
            r = damaged(doc, err);
        if (r < 0)
            break;
        if (i > 0)
            buf_char(out, ',');
        r = piece_read(&q, out, err);
    }
    free(ids);
    return MIN(r, 0);
}

int doc_read(struct db *db, int64_t doc, struct buf *out, struct err *err)
{
    struct query q = query_on(db, SQL_DOC_GET);
    query_put_i64(&q, doc);
    int r = query_step(&q, err);
    if (r == 0)
        return err_set(err, ENOENT, "store: no document %" PRId64, doc);
    if (r < 0)
        return r;
    /* Read the row once: the tail is kept aside until the items are written. */
    struct buf tail;
    buf_init(&tail, DB_TEXT_MAX);
    int64_t head_blob = query_text(&q, out), node = query_i64(&q),
            tail_blob = query_text(&q, &tail);
    r = query_done(&q, err);
    if (r >= 0 && head_blob != 0)
        r = blob_read(db, head_blob, out, err);
    if (r >= 0 && node != 0)
        r = chain_read(db, doc, node, out, err);
    if (r >= 0 && tail_blob != 0)
        r = blob_read(db, tail_blob, &tail, err);
    buf_str_put(out, buf_str(&tail));
    buf_release(&tail);
    if (r >= 0 && (r = buf_status(out)) < 0)
        err_set(err, -r, "store: document %" PRId64 ": %s", doc, err_name(-r));
    return r;
}

int store_doc_get(struct store *s, int64_t doc, struct arena *a, struct str *ret, struct err *err)
{
    buf_clear(&s->text);
    int r = doc_read(&s->db, doc, &s->text, err);
    if (r < 0)
        return r;
    struct str text = arena_str(a, buf_str(&s->text));
    if (text.ptr == NULL)
        return err_set(err, ENOMEM, "store: document %" PRId64 ": %zu bytes are too many here", doc,
                       s->text.len);
    if (s->text.cap > (size_t)4 << 20)
        buf_release(&s->text);
    *ret = text;
    return 0;
}

int store_text_put(struct store *s, struct str text, int64_t *ret_doc, struct str *ret_text,
                   struct err *err)
{
    bool is_short = text.len <= STORE_INLINE_MAX && memchr(text.ptr, 0, text.len) == NULL;
    *ret_text = is_short ? text : STR_NONE;
    if (!is_short)
        return store_doc_put(s, text, ret_doc, err);
    *ret_doc = STORE_DOC_INLINE;
    return 0;
}

int store_text_get(struct store *s, int64_t doc, struct str text, struct arena *a, struct str *ret,
                   struct err *err)
{
    if (doc != STORE_DOC_INLINE)
        return store_doc_get(s, doc, a, ret, err);
    *ret = arena_str(a, text);
    return ret->ptr != NULL ? 0 : err_set(err, ENOMEM, "store: no memory for a step's text");
}

/* Deletes nodes from the end of a chain on, up to one that something else still needs. */
static int chain_drop(struct store *s, int64_t node, struct err *err)
{
    int r = 0;
    while (node != 0) {
        struct query q = query_on(&s->db, SQL_NODE_WHOLE);
        query_put_i64(&q, node);
        r = query_step(&q, err);
        if (r <= 0)
            break;
        int64_t parent = query_i64(&q), blob = query_blob_id(&q);
        query_end(&q);
        q = query_on(&s->db, SQL_NODE_DROP);
        query_put_i64(&q, node);
        r = query_run(&q, err);
        if (r <= 0)
            break;
        r = blob_drop(s, blob, err);
        if (r < 0)
            break;
        node = parent;
    }
    return MIN(r, 0);
}

static int doc_drop(struct store *s, int64_t doc, struct err *err)
{
    struct query q = query_on(&s->db, SQL_DOC_GET);
    query_put_i64(&q, doc);
    int r = query_step(&q, err);
    if (r <= 0)
        return r;
    int64_t head = query_blob_id(&q), node = query_i64(&q), tail = query_blob_id(&q);
    query_end(&q);
    q = query_on(&s->db, SQL_DOC_DROP);
    query_put_i64(&q, doc);
    r = query_run(&q, err);
    if (r >= 0)
        r = chain_drop(s, node, err);
    if (r >= 0)
        r = blob_drop(s, head, err);
    if (r >= 0)
        r = blob_drop(s, tail, err);
    return r;
}

int doc_refer(struct store *s, int64_t before, int64_t now, struct err *err)
{
    before = MAX(before, 0); /* STORE_DOC_INLINE refers to nothing */
    now = MAX(now, 0);
    if (before == now)
        return 0;
    int r = 0;
    if (now != 0 && !fresh_take(s, now)) {
        struct query q = query_on(&s->db, SQL_DOC_SHARE);
        query_put_i64(&q, now);
        r = query_run(&q, err);
        if (r == 0)
            return err_set(err, EINVAL, "store: no document %" PRId64 " to refer to", now);
    }
    if (r >= 0 && before != 0) {
        struct query q = query_on(&s->db, SQL_DOC_UNSHARE);
        query_put_i64(&q, before);
        r = query_run(&q, err);
        if (r == 0)
            r = doc_drop(s, before, err);
    }
    return MIN(r, 0);
}
