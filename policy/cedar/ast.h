/*
 * ast.h: the tree of a policy. Made by parse.c and est_in.c through ast.c, never changed after
 * that.
 */
#ifndef REEVE_CEDAR_AST_H
#define REEVE_CEDAR_AST_H

#include "policy/cedar/escape.h"
#include "policy/cedar/policies.h"

/* One row an operation: name, its key in the JSON policy format (NULL: has its own form). */
#define CEDAR_OPS(X)                                                                        \
    X(LITERAL, NULL)                                                                        \
    X(VAR, NULL)                                                                            \
    X(IF, "if-then-else")                                                                   \
    X(AND, "&&") /* any number of args: a && b && c is one node, so that depth stays low */ \
    X(OR, "||")  /* likewise */                                                             \
    X(NOT, "!")                                                                             \
    X(NEG, "neg")                                                                           \
    X(EQ, "==")                                                                             \
    X(NE, "!=")                                                                             \
    X(LT, "<")                                                                              \
    X(LE, "<=")                                                                             \
    X(GT, ">")                                                                              \
    X(GE, ">=")                                                                             \
    X(IN, "in")                                                                             \
    X(SUM, NULL)  /* args[0], then ops[i] ('+' or '-') and args[i] */                       \
    X(MUL, "*")   /* any number of args */                                                  \
    X(HAS, "has") /* args[0], names: one attribute, or a path */                            \
    X(GET, ".")   /* args[0], names[0] */                                                   \
    X(LIKE, "like")                                                                         \
    X(IS, "is") /* args[0], names[0] the type; args[1], if any, the `in` */                 \
    X(CONTAINS, "contains")                                                                 \
    X(CONTAINS_ALL, "containsAll")                                                          \
    X(CONTAINS_ANY, "containsAny")                                                          \
    X(IS_EMPTY, "isEmpty")                                                                  \
    X(GET_TAG, "getTag")                                                                    \
    X(HAS_TAG, "hasTag")                                                                    \
    X(SET, "Set")                                                                           \
    X(RECORD, "Record") /* names[i]: args[i], ascending by name */                          \
    X(CALL, NULL)       /* extension function `fn` */

enum cedar_op {
#define X(name, key) CEDAR_OP_##name,
    CEDAR_OPS(X)
#undef X
        CEDAR_OP_COUNT
};

enum cedar_var { CEDAR_VAR_PRINCIPAL, CEDAR_VAR_ACTION, CEDAR_VAR_RESOURCE, CEDAR_VAR_CONTEXT };

struct cedar_expr {
    uint8_t op;       /* enum cedar_op */
    uint8_t var;      /* VAR */
    uint8_t fn;       /* CALL */
    uint8_t depth;    /* of the tree below, 1 for a leaf; at most CEDAR_DEPTH_MAX */
    uint32_t at, end; /* bytes in the text that it came from */
    uint32_t arg_count, name_count;
    /* LITERAL: its value. Others: the value found at load, where it needs no request; NULL if it
     * does, or if finding it fails (which is raised when, and only when, evaluation comes by). */
    const struct cedar_value *value;
    const struct cedar_expr *const *args;
    const struct str *names;
    union {
        const struct cedar_pattern *pattern; /* LIKE */
        const char *ops;                     /* SUM */
    };
};

enum cedar_scope_op {
    CEDAR_SCOPE_ANY,
    CEDAR_SCOPE_EQ,
    CEDAR_SCOPE_IN,
    CEDAR_SCOPE_IS,
    CEDAR_SCOPE_IS_IN,
    CEDAR_SCOPE_IN_LIST, /* actions only */
};

struct cedar_scope {
    enum cedar_scope_op op;
    bool slot;                    /* EQ, IN, IS_IN: a slot stands where the entity would */
    struct str type;              /* IS, IS_IN */
    const struct cedar_uid *uids; /* EQ, IN, IS_IN: one; IN_LIST: count */
    size_t count;
};

struct cedar_condition {
    bool unless;
    const struct cedar_expr *expr;
};

enum { CEDAR_PART_PRINCIPAL, CEDAR_PART_ACTION, CEDAR_PART_RESOURCE, CEDAR_PARTS };

struct cedar_body {
    struct cedar_scope scope[CEDAR_PARTS];
    const struct cedar_condition *conditions;
    size_t condition_count;
    struct str text; /* from the policy's first token on; expressions' places are relative to the
                        whole text */
    size_t at;       /* where the policy begins in its text */
};

const char *cedar_op_key(enum cedar_op op); /* of the JSON policy format, or NULL */
const char *cedar_var_name(enum cedar_var var);
const char *cedar_part_name(unsigned part); /* "principal"... */
/* The member function's operation (contains...), or -1; its arguments without the receiver. */
int cedar_method_find(struct str name, unsigned *ret_args);

/* Collects the arguments of a node. */
struct cedar_args {
    const struct cedar_expr **items;
    size_t count, cap;
};
int cedar_args_add(struct arena *arena, struct cedar_args *args,
                   const struct cedar_expr *e) NODISCARD;

/*
 * Completes a node whose op, place, args, names and such are set: copies it into the arena, counts
 * its depth and finds its value if it needs no request. -E2BIG: nested too deeply; -ENOMEM.
 */
int cedar_expr_make(struct arena *arena, const struct cedar_expr *draft,
                    const struct cedar_expr **ret) NODISCARD;
int cedar_expr_literal(struct arena *arena, struct cedar_value v, uint32_t at, uint32_t end,
                       const struct cedar_expr **ret) NODISCARD;

/* Sorts a record's names with their args. 0; the index of a name that stands twice (1 or more);
 * -ENOMEM. */
int cedar_record_sort(struct arena *arena, struct str *names, const struct cedar_expr **args,
                      size_t n) NODISCARD;

/* As Cedar text, on one line. */
void cedar_expr_put(struct buf *out, const struct cedar_expr *e);

/* One part of a scope: `principal is Agent in Team::"x"`. */
void cedar_scope_put(struct buf *out, const struct cedar_scope *s, unsigned part);

#endif
