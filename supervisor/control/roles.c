/*
 * roles.c: the role table of the control socket. Runs in reeve-control; trusts reeved's
 * configuration and the kernel's ids; must never grant on an id that it does not know.
 */
#include "supervisor/control/roles.h"

static const struct {
    const char *name;
    enum role role;
    unsigned grants;
} ROLES[] = {
    {"viewer", ROLE_VIEWER, ROLE_VIEWER},
    {"operator", ROLE_OPERATOR, ROLE_OPERATOR | ROLE_VIEWER},
    {"approver", ROLE_APPROVER, ROLE_APPROVER | ROLE_VIEWER},
    {"admin", ROLE_ADMIN, ROLE_ADMIN | ROLE_APPROVER | ROLE_OPERATOR | ROLE_VIEWER},
};

const char *role_name(enum role r)
{
    for (size_t i = 0; i < ARRAY_LEN(ROLES); i++)
        if (ROLES[i].role == r)
            return ROLES[i].name;
    return "?";
}

static int grants_of(struct str name, unsigned *ret, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(ROLES); i++) {
        if (str_is(name, ROLES[i].name)) {
            *ret = ROLES[i].grants;
            return 0;
        }
    }
    return err_set(err, EINVAL, "role \"%.*s\": expected viewer, operator, approver or admin",
                   STR_FMT(name));
}

static int add_ids(struct roles *r, const struct json *row, const char *member, bool is_group,
                   unsigned grants, struct err *err)
{
    const struct json *ids = json_get(row, member);
    if (!ids)
        return 0;
    if (!json_is(ids, JSON_ARRAY))
        return err_set(err, EINVAL, "\"%s\" must be an array of ids", member);
    for (size_t i = 0; i < ids->array.count; i++) {
        const struct json *id = &ids->array.items[i];
        if (!json_is(id, JSON_INT) || id->integer < 0 || id->integer >= UINT32_MAX)
            return err_set(err, EINVAL, "\"%s\"[%zu] must be an id from 0 to %u", member, i,
                           UINT32_MAX - 1);
        if (r->count == ROLES_IDS_MAX)
            return err_set(err, E2BIG, "more than %d ids", ROLES_IDS_MAX);
        r->rows[r->count++] = (struct roles_row){(uint32_t)id->integer, is_group, grants};
    }
    return 0;
}

static int add_row(struct roles *r, const struct json *row, struct err *err)
{
    struct str name;
    unsigned grants = 0;
    int res = json_want_str(row, "role", &name, err);
    if (res >= 0)
        res = grants_of(name, &grants, err);
    if (res >= 0)
        res = add_ids(r, row, "uids", false, grants, err);
    if (res >= 0)
        res = add_ids(r, row, "gids", true, grants, err);
    return res;
}

int roles_parse(const struct json *list, struct roles *ret, struct err *err)
{
    if (!json_is(list, JSON_ARRAY))
        return err_set(err, EINVAL, "\"roles\" must be an array");
    struct roles r = {calloc(ROLES_IDS_MAX, sizeof(*r.rows)), 0};
    if (!r.rows)
        return err_set(err, ENOMEM, "role table");
    for (size_t i = 0; i < list->array.count; i++) {
        int res = add_row(&r, &list->array.items[i], err);
        if (res < 0) {
            roles_release(&r);
            err_wrap(err, "roles[%zu]", i);
            return res;
        }
    }
    *ret = r;
    return 0;
}

void roles_release(struct roles *r)
{
    free(r->rows);
    *r = (struct roles){NULL, 0};
}

static bool row_matches(const struct roles_row *row, uint32_t uid, const uint32_t *gids, size_t n)
{
    if (row->id == ROLES_OVERFLOW_ID)
        return false;
    if (!row->is_group)
        return row->id == uid;
    for (size_t i = 0; i < n; i++)
        if (gids[i] == row->id)
            return true;
    return false;
}

unsigned roles_of(const struct roles *r, uint32_t uid, const uint32_t *gids, size_t gid_count)
{
    unsigned grants = 0;
    for (size_t i = 0; i < r->count; i++)
        if (row_matches(&r->rows[i], uid, gids, gid_count))
            grants |= r->rows[i].grants;
    return grants;
}
