/*
 * internal.h: what the files of the store share. Nobody outside of supervisor/store includes it.
 */
#ifndef REEVE_STORE_INTERNAL_H
#define REEVE_STORE_INTERNAL_H

#include "policy/text/arena.h"
#include "sandbox/os/sys.h"
#include "supervisor/store/db.h"
#include "supervisor/store/schema.h"
#include "supervisor/store/store.h"

#define FRESH_MAX    64
#define RECENT_STEPS 256

/* Where a step that was written of late lies, and which outcome its row refers to: most are written anew soon. */
struct recent_step {
    int64_t pos, id, outcome_doc;
};

#define TAKEN_MAX 256
#define ROW_TAKES 120 /* bytes of a row, its place in indexes included, beside its texts */

struct taken { /* see store_run_taken */
    int64_t run, bytes;
};

struct store {
    struct db db;
    char *dir, *file;
    int lock;
    int log_pages;        /* in the -wal file, after the last commit */
    int checkpoint_pages; /* as many of them start a checkpoint */
    int64_t commits;
    int64_t last_doc; /* ids are not used twice while we run */
    /* Documents that were put and that nothing refers to yet: the first reference is free. */
    int64_t fresh[FRESH_MAX];
    size_t fresh_count;
    struct recent_step recent[RECENT_STEPS]; /* by pos; emptied by a rollback */
    bool audit_known;
    int64_t audit_id;
    struct digest audit_head;
    int64_t unclaimed; /* bytes that were written, and no row has said for which run */
    struct taken taken[TAKEN_MAX];
    size_t taken_next;
    struct arena parse; /* of store_doc_put */
    struct buf text;
};

/* Begins the transaction that a change needs. */
int store_change(struct store *s, struct err *err) NODISCARD;

#define RUN_SEQ_BITS 20
#define RUN_SEQ_MAX  (((int64_t)1 << RUN_SEQ_BITS) - 1)
#define RUN_ID_MAX   (((int64_t)1 << 42) - 1)
#define ROW_ID(run, seq) (((run) << RUN_SEQ_BITS) | (seq)) /* of a step, of a log line */
int store_row_id(int64_t run, int64_t seq, int64_t *ret, struct err *err) NODISCARD; /* -EINVAL, -E2BIG */

/* run.c: what was written since the last claim was for this run. */
void run_claims(struct store *s, int64_t run, size_t more);

/* blob.c: a text in a column that may also hold a blob's id. */
struct piece {
    int64_t blob; /* 0: the text itself */
    struct str text;
};
int piece_keep(struct store *s, struct str text, struct piece *ret, struct err *err) NODISCARD;
void query_put_piece(struct query *q, const struct piece *p);
int blob_read(struct db *db, int64_t blob, struct buf *out, struct err *err) NODISCARD;
/* The next column: appended, through its blob if it is in one. Ends the query, so it is the last. */
int piece_read(struct query *q, struct buf *out, struct err *err) NODISCARD;
int blob_drop(struct store *s, int64_t blob, struct err *err) NODISCARD; /* if nothing refers to it */

/* doc.c */
int doc_read(struct db *db, int64_t doc, struct buf *out, struct err *err) NODISCARD; /* -ENOENT */
/* A row refers to `now` where it referred to `before` (0: none). What nobody refers to is deleted. */
int doc_refer(struct store *s, int64_t before, int64_t now, struct err *err) NODISCARD;

/* Rows to a callback, in batches that are read before the first is delivered: the callback may use the store
 * as it likes, this statement included. */
struct each {
    enum sql_id sql;      /* parameters: numbers, then text, then after, then the batch's size */
    struct str text;
    bool has_text;
    int64_t numbers[2];
    size_t number_count;
    int64_t after;
    int64_t limit;        /* 0: all */
    bool once;            /* not continued by `after`, which is then no parameter */
    int batch;
    size_t row_bytes;
    void (*read)(struct query *q, struct arena *a, void *row);
    int64_t (*key)(const void *row); /* what the next batch begins after */
    int (*deliver)(void *arg, const void *row);
    void *arg;
};
int each_row(struct db *db, const struct each *e, struct err *err);

/* rows: reading each of the wide tables, for the store and for the view */
void read_run(struct query *q, struct arena *a, void *row);
void read_step(struct query *q, struct arena *a, void *row);
void read_event(struct query *q, struct arena *a, void *row);
void read_approval(struct query *q, struct arena *a, void *row);
void read_vote(struct query *q, struct arena *a, void *row);
int64_t run_key(const void *row);
int64_t step_key(const void *row);
int64_t event_key(const void *row);
int64_t approval_key(const void *row);
int64_t vote_key(const void *row);
int64_t audit_key(const void *row);

/* audit.c */
struct audit_row {
    int64_t id, at_ms;
    struct str actor, action, subject, detail;
    struct digest digest;
};
void read_audit(struct query *q, struct arena *a, void *row);

/* order.c: columns as SWITCH_ALL_COLUMNS and WORKFLOW_COLUMNS have them */
void read_switch(struct query *q, struct arena *a, struct store_switch *ret);
void read_workflow(struct query *q, struct arena *a, struct store_workflow *ret);
int version_find(struct db *db, struct str workflow, struct str prefix, struct digest *ret, struct err *err) NODISCARD;

/* backup.c: a whole, checked copy of a database file; `file` must not exist. */
int backup_begin(const char *from, const char *file, struct backup **ret, struct err *err) NODISCARD;
int backup_copy(const char *from, const char *file, struct err *err) NODISCARD;

/* files.c */
int files_lock(const char *dir, int *ret_fd, struct err *err) NODISCARD;
int files_prepare(const char *file, const struct store_options *o, struct err *err) NODISCARD;
int files_share(const char *file, const struct store_options *o, struct err *err) NODISCARD;
int64_t files_size(const char *file);

/* migrate.c */
int migrate(struct db *db, const char *file, const struct schema_step *steps, size_t count, struct err *err) NODISCARD;

#endif
