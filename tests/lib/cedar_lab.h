/*
 * cedar_lab.h: a set of policies, a world and a request in a few lines, for tests of policy/cedar/.
 */
#ifndef REEVE_TESTS_CEDAR_LAB_H
#define REEVE_TESTS_CEDAR_LAB_H

#include "policy/cedar/cedar.h"

struct cedar_lab {
    struct cedar_policies *set;
    struct cedar_entities *world;
    struct cedar_request request;
    struct cedar_answer answer;
    struct diags diags;
    struct arena arena;
    struct buf out;
    struct err err;
};

/* For test files that need one, fresh for each test. */
extern struct cedar_lab lab;
int cedar_lab_set_up(void **state);
int cedar_lab_tear_down(void **state);
#define CEDAR_TEST(name) \
    cmocka_unit_test_setup_teardown(name, cedar_lab_set_up, cedar_lab_tear_down)

void cedar_lab_init(struct cedar_lab *l,
                    const struct cedar_load *how); /* NULL: as the runtime loads */
void cedar_lab_release(struct cedar_lab *l);
/* Adds a text named "a.cedar"; false if it has faults. */
bool cedar_lab_add(struct cedar_lab *l, const char *text);
/* Entities as JSON (in single quotes for double ones), sealed. */
bool cedar_lab_world(struct cedar_lab *l, const char *json);
/* Principal, action and resource as `Type id`, context as JSON (quotes likewise). */
void cedar_lab_request(struct cedar_lab *l, const char *principal, const char *action,
                       const char *resource, const char *context);
/* Seals the set if it is not yet, decides, and gives "allow: a b" or "deny: c; errors: d". */
const char *cedar_lab_decide(struct cedar_lab *l);
/* JSON in single quotes, in the lab's arena; NULL: it is none. */
const struct json *cedar_lab_json(struct cedar_lab *l, const char *text);
/* All diagnostics as text. */
const char *cedar_lab_diags(struct cedar_lab *l);

#endif
