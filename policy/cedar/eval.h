/*
 * eval.h: the value of an expression for one request.
 */
#ifndef REEVE_CEDAR_EVAL_H
#define REEVE_CEDAR_EVAL_H

#include "policy/cedar/ast.h"
#include "policy/cedar/authorize.h"

enum cedar_fault_code {
    CEDAR_FAULT_NONE,
    CEDAR_FAULT_TYPE,      /* `got` where one of the types in `wanted` must stand */
    CEDAR_FAULT_NO_ENTITY, /* `entity` is not in the store */
    CEDAR_FAULT_NO_ATTR,   /* `entity` (NULL: a record) has no attribute `name` */
    CEDAR_FAULT_NO_TAG,    /* `entity` has no such tag */
    CEDAR_FAULT_OVERFLOW,
    CEDAR_FAULT_ARITY,
    CEDAR_FAULT_EXT, /* `why` */
};

struct cedar_fault {
    enum cedar_fault_code code;
    const struct cedar_expr *at;
    unsigned wanted; /* bits: 1 << enum cedar_type */
    enum cedar_type got;
    const struct cedar_uid *entity;
    struct str name;
    const char *why; /* static */
};

/* All that evaluation may see. */
struct cedar_env {
    const struct cedar_request *request; /* NULL while folding at load */
    const struct cedar_entities *entities;
    const struct cedar_entity *found[CEDAR_PARTS]; /* of the request; NULL: not in the store */
    struct arena *arena;
    struct cedar_fault fault; /* of the last evaluation that gave -EINVAL */
};

void cedar_env_init(struct cedar_env *env, const struct cedar_request *request,
                    const struct cedar_entities *entities, struct arena *arena);
/* 0; -EINVAL: Cedar's evaluation error, env->fault says which; -ENOMEM. */
int cedar_eval(struct cedar_env *env, const struct cedar_expr *e,
               struct cedar_value *ret) NODISCARD;
/* All conditions in order. *ret_satisfied; *ret_index: the condition that decided (the count if all
 * held). */
int cedar_eval_conditions(struct cedar_env *env, const struct cedar_body *body, bool *ret_satisfied,
                          size_t *ret_index) NODISCARD;
bool cedar_eval_scope(const struct cedar_env *env, const struct cedar_scope *scope, unsigned part);

/* "3:9: `amount`: ..." with file and place of the policy; in the arena, {NULL, 0} when it is full.
 */
struct str cedar_fault_text(struct arena *arena, const struct cedar_policy *policy,
                            const struct cedar_fault *fault);

#endif
