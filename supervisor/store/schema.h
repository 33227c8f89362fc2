/*
 * schema.h: the migrations of the database, as rows.
 */
#ifndef REEVE_STORE_SCHEMA_H
#define REEVE_STORE_SCHEMA_H

#include "policy/text/base.h"

#define SCHEMA_APPLICATION_ID 0x52454556 /* "REEV": SQLite's header says whose file it is */

struct schema_step {
    int version;      /* the store's after it */
    const char *name; /* for errors */
    const char *sql;
};
extern const struct schema_step schema_steps[]; /* rising by one from 1 */
extern const size_t schema_step_count;

int schema_version(void); /* the newest that this program knows */

#endif
