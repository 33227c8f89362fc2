/*
 * link.h: do the definitions of all files fit together? Names that are defined twice, names that nothing defines,
 * parts of one tenant used by another.
 */
#ifndef REEVE_POLICY_LINK_H
#define REEVE_POLICY_LINK_H

#include "policy/house.h"
#include "policy/tables.h"

enum link_kind { LINK_TENANT, LINK_TEAM, LINK_MODEL, LINK_WORKFLOW, LINK_SERVER, LINK_PERSON, LINK_ACCESS, LINK_KIND_COUNT };
const char *link_kind_name(enum link_kind k);

struct link_made { /* one definition */
    struct link_made *next;
    enum link_kind kind;
    void *object;
    struct str name; /* empty: has none (access) */
    size_t file, from, to;
};

struct link_use { /* one text that names a definition */
    struct link_use *next;
    int ref; /* enum tables_ref */
    struct str text;
    size_t file, from, to;
    const struct link_made *owner;
};

struct link {
    struct arena *arena;
    struct diags *diags;
    struct link_made *made, **made_tail;
    struct link_use *uses, **uses_tail;
    const struct link_made *owner; /* the definition that is being read */
    size_t counts[LINK_KIND_COUNT];
    int status; /* 0 or -ENOMEM */
};

void link_init(struct link *l, struct arena *a, struct diags *d);
/* A definition begins: its uses belong to it. NULL: out of memory. */
struct link_made *link_begin(struct link *l, enum link_kind kind, void *object);
/* Its name is known: a second one of this name is an error. */
void link_name(struct link *l, struct link_made *m, struct str name, size_t file, size_t from, size_t to);
/* bind.on_ref; arg is the link. */
void link_use(void *arg, int ref, struct str text, size_t file, size_t from, size_t to);
/* When all files are read: every use, and tenants against each other. */
void link_check(struct link *l);
const struct link_made *link_find(const struct link *l, enum link_kind kind, struct str name);

/* An error at `at` that nothing of this kind is called `name`, with what is. */
void link_unknown(const struct link *l, enum link_kind kind, struct str name, size_t file, size_t from, size_t to);

#endif
