/*
 * diag.h: all that is wrong with a set of files, in one run, as a person wants to read it:
 *
 *   triage.cedar:12:9: error: expected `)`, found `when`
 *      12 | permit (principal when
 *         |                   ^~~~
 *   triage.cedar:3:1: note: the earlier definition is here
 */
#ifndef REEVE_TEXT_DIAG_H
#define REEVE_TEXT_DIAG_H

#include "policy/text/buf.h"
#include "policy/text/jout.h"

enum diag_level { DIAG_ERROR, DIAG_WARNING, DIAG_NOTE /* belongs to the one before it */ };

struct diag_file {
    char *name;      /* as people know it; owned */
    char *text;      /* whole text; owned */
    size_t len;
};

struct diag {
    enum diag_level level;
    size_t file;      /* index; SIZE_MAX: no file */
    size_t from, to;  /* bytes in the file; from == to marks one place */
    char *message;    /* what was wrong; owned */
    char *expected;   /* what would be right, or NULL; owned */
};

struct diags {
    struct diag_file *files;
    size_t file_count;
    struct diag *items;
    size_t count, errors;
    size_t max;    /* items kept; more are counted only */
    bool truncated;
    int failed;    /* ENOMEM: the list is not complete, treat as an error */
};

#define DIAGS_MAX 200

void diags_init(struct diags *d);
void diags_release(struct diags *d);
/* Copies name and text; the index to use below, or -ENOMEM. */
ssize_t diags_file(struct diags *d, struct str name, struct str text);
void diags_add(struct diags *d, enum diag_level level, size_t file, size_t from, size_t to,
               const char *expected /* or NULL */, const char *fmt, ...) PRINTF(7, 8);
bool diags_has_errors(const struct diags *d); /* or failed */
/* Line and column (from 1, code points) of a byte in a file. */
void diags_where(const struct diags *d, size_t file, size_t at, unsigned *ret_line, unsigned *ret_column);
/* As text for people, in order of file and place (notes stay behind their error), ended by a line such as
 * "2 errors, 1 warning" when there is any. Lines are cut around the caret; tabs become one space. */
void diags_put(const struct diags *d, struct buf *out);
/* The same as a JSON array: [{file,line,column,endLine,endColumn,level,message,expected}]. */
void diags_json(const struct diags *d, struct jout *j);

#endif
