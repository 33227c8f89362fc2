/*
 * Goal: every cell of the run's life, state x event: legal ones as life.def says, all others illegal and
 * without effect. INV-10: only a waiting run may be parked, and nothing but a wake-up brings it back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "supervisor/life.h"

struct row {
    enum run_state state;
    enum life_event event;
    enum life_action action;
    enum run_state next;
};

static const struct row rows[] = {
#define LIFE(s, e, a, n) {RUN_##s, LIFE_##e, LIFE_DO_##a, RUN_##n},
#include "supervisor/life.def"
#undef LIFE
};

static const struct row *row_of(enum run_state s, enum life_event e)
{
    const struct row *found = NULL;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].state == s && rows[i].event == e) {
            assert_null(found); /* a cell stands once */
            found = &rows[i];
        }
    return found;
}

static void every_cell_is_as_written(void **unused)
{
    (void)unused;
    size_t legal = 0;
    for (int s = 0; s < RUN_STATE_COUNT; s++)
        for (int e = 0; e < LIFE_EVENT_COUNT; e++) {
            const struct row *r = row_of((enum run_state)s, (enum life_event)e);
            struct life_cell c = life_next((enum run_state)s, (enum life_event)e);
            assert_int_equal(c.action, r ? r->action : LIFE_DO_ILLEGAL);
            assert_int_equal(c.next, r ? r->next : (enum run_state)s);
            legal += r != NULL;
        }
    assert_int_equal(legal, ARRAY_LEN(rows));
}

static void what_ends_is_final_and_stays(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(rows[i].action == LIFE_DO_END, run_state_is_final(rows[i].next));
        if (run_state_is_final(rows[i].state))
            assert_int_equal(rows[i].event, LIFE_REDRIVE);
    }
    for (int e = 0; e < LIFE_EVENT_COUNT; e++)
        assert_int_equal(life_next(RUN_SUCCEEDED, (enum life_event)e).action, LIFE_DO_ILLEGAL);
}

/* INV-10: a run that waits has no process: it got there by being parked, and leaves through the queue. */
static void waiting_holds_no_process(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].next == RUN_WAITING && rows[i].state != RUN_WAITING)
            assert_int_equal(rows[i].action, LIFE_DO_PARK);
        if (rows[i].state == RUN_WAITING)
            assert_true(rows[i].next == RUN_WAITING || rows[i].next == RUN_QUEUED || run_state_is_final(rows[i].next));
        if (rows[i].next == RUN_STARTING)
            assert_int_equal(rows[i].state, RUN_QUEUED);
        if (rows[i].next == RUN_RUNNING)
            assert_int_equal(rows[i].state, RUN_STARTING);
    }
}

/* Whatever state a crash of the supervisor found, the run is not lost: it goes on or it waits. */
static void a_restart_loses_no_run(void **unused)
{
    (void)unused;
    for (int s = 0; s < RUN_STATE_COUNT; s++) {
        struct life_cell c = life_next((enum run_state)s, LIFE_RESTART);
        if (run_state_is_final((enum run_state)s))
            continue;
        assert_int_not_equal(c.action, LIFE_DO_ILLEGAL);
        assert_int_equal(c.next, s == RUN_WAITING ? RUN_WAITING : RUN_QUEUED);
        assert_int_not_equal(life_next((enum run_state)s, LIFE_CANCEL).action, LIFE_DO_ILLEGAL);
    }
}

static void all_have_names(void **unused)
{
    (void)unused;
    for (int e = 0; e < LIFE_EVENT_COUNT; e++)
        assert_true(life_event_name((enum life_event)e)[0] != '?');
    for (int a = 0; a < LIFE_ACTION_COUNT; a++)
        assert_true(life_action_name((enum life_action)a)[0] != '?');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cell_is_as_written), cmocka_unit_test(what_ends_is_final_and_stays),
        cmocka_unit_test(waiting_holds_no_process), cmocka_unit_test(a_restart_loses_no_run),
        cmocka_unit_test(all_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
