/*
 * table.h: aligned columns. Cells are foreign text: made visible and cut on the way out.
 */
#ifndef REEVE_CTL_TABLE_H
#define REEVE_CTL_TABLE_H

#include "supervisor/ctl/style.h"

#define TABLE_COLUMNS_MAX 12
#define TABLE_ROWS_MAX 10000

struct table_column {
    const char *title;
    bool right;   /* aligned to the right */
    bool squeeze; /* gives up width when the line is too long; the last such one first */
};
struct table_cell {
    char *text; /* owned */
    size_t len;
    enum ink ink;
};
struct table {
    const struct table_column *columns; /* borrowed */
    size_t column_count;
    struct table_cell *cells; /* rows * column_count */
    size_t cell_count, cell_room;
    int failed;
};

void table_init(struct table *t, const struct table_column *columns, size_t count);
void table_release(struct table *t);
/* Cells are added row by row, left to right. */
void table_add(struct table *t, enum ink ink, struct str text);
void table_fmt(struct table *t, enum ink ink, const char *fmt, ...) PRINTF(3, 4);
/* Renders, headings first; nothing when there is no row. */
void table_put(const struct table *t, const struct style *s, struct buf *out);

#endif
