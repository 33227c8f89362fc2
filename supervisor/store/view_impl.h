/*
 * view_impl.h: what the files of the view share.
 */
#ifndef REEVE_STORE_VIEW_IMPL_H
#define REEVE_STORE_VIEW_IMPL_H

#include "supervisor/store/internal.h"
#include "supervisor/store/view.h"

struct view {
    struct db db;
    char *file;
    struct buf text;     /* a document */
    struct arena values; /* its tree */
};

/* One read transaction around each public function. view_end returns r. */
int view_begin(struct view *v, struct err *err) NODISCARD;
int view_end(struct view *v, int r);
int view_limit(int limit);
int view_cursor(struct str cursor, int64_t *ret, struct err *err) NODISCARD; /* "" gives INT64_MAX */
/* The number of a name in a table of `count` names; -EINVAL with the names. */
int view_name(struct str name, const char *what, const char *(*name_of)(int), int count, struct err *err);

/* view_out.c: members, whatever the bytes are. */
void out_time(struct jout *out, const char *name, int64_t unix_ms); /* 0: null */
void out_text(struct jout *out, const char *name, struct str s);    /* bytes that are no UTF-8 are shown as such */
void out_cost(struct jout *out, const char *name, int64_t micro);
void out_hex(struct jout *out, const char *name, const struct digest *d);
void out_id(struct jout *out, const char *name, int64_t id); /* 0: null */
void out_next(struct jout *out, int64_t id);                 /* "next" as a cursor; 0: null */
/* A small JSON text of ours; `none` ("[]", "{}") where it is empty. */
void out_json(struct view *v, struct jout *out, const char *name, struct str json, const char *none);
/* 0: null */
int out_doc(struct view *v, struct jout *out, const char *name, int64_t doc, bool whole, struct err *err) NODISCARD;
/* A step's request or outcome, which may stand in its row. */
int out_step_text(struct view *v, struct jout *out, const char *name, int64_t doc, struct str text, bool whole,
                  struct err *err) NODISCARD;
void out_doc_text(struct view *v, struct jout *out, const char *name, struct str text, bool whole);
void out_counts(struct jout *out, const char *name, const int64_t *counts, size_t n, const char *(*name_of)(int));

/* Members of objects that are open. */
int queued_reason(struct view *v, const struct store_run *run, struct jout *out, struct err *err) NODISCARD;
int run_members(struct view *v, const struct store_run *r, struct jout *out, struct err *err) NODISCARD;
int event_member(struct view *v, int64_t event, bool whole, struct jout *out, struct err *err) NODISCARD;
int view_run_row(struct view *v, int64_t id, struct arena *a, struct store_run *ret, struct err *err) NODISCARD;
void step_members(struct view *v, const struct store_step *st, struct jout *out);
struct decision_row {
    int64_t id;
    struct store_decision d;
};
void read_decision(struct query *q, struct arena *a, struct decision_row *ret);
void decision_members(struct view *v, const struct decision_row *d, struct jout *out);
int approval_value(struct view *v, const struct store_approval *a, struct jout *out, struct err *err) NODISCARD;
int votes_member(struct view *v, int64_t approval, struct jout *out, struct err *err) NODISCARD;
/* "approvals":[...] of a run (state -1: any), or of one of its steps (seq > 0) */
int approvals_member(struct view *v, int64_t run, int64_t seq, int state, struct jout *out, struct err *err) NODISCARD;

/* The names of states by number, for view_name and out_counts. */
const char *name_of_run_state(int n);
const char *name_of_wait(int n);
const char *name_of_approval_state(int n);

#endif
