/*
 * access.c: see access.h. Runs in reeved. Names are looked up in the host's own files when they are
 * needed: a user that was added since counts at once.
 */
#include "supervisor/access.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

static bool user_id(struct str name, uid_t *ret)
{
    char text[256], room[4096];
    struct passwd pw, *found = NULL;
    uint64_t n;
    if (num_u64(name, &n) == 0 && n < UINT32_MAX) {
        *ret = (uid_t)n;
        return true;
    }
    if (str_copy(name, text, sizeof(text)) < 0 ||
        getpwnam_r(text, &pw, room, sizeof(room), &found) != 0 || !found)
        return false;
    *ret = pw.pw_uid;
    return true;
}

static bool group_id(struct str name, gid_t *ret)
{
    char text[256], room[65536];
    struct group gr, *found = NULL;
    uint64_t n;
    if (num_u64(name, &n) == 0 && n < UINT32_MAX) {
        *ret = (gid_t)n;
        return true;
    }
    if (str_copy(name, text, sizeof(text)) < 0 ||
        getgrnam_r(text, &gr, room, sizeof(room), &found) != 0 || !found)
        return false;
    *ret = gr.gr_gid;
    return true;
}

static void put_rule(struct reeved *rv, struct jout *j, const struct access_rule *a)
{
    jout_object(j);
    jout_m_cstr(j, "role", access_role_name(a->role));
    jout_name(j, "uids");
    jout_array(j);
    for (size_t i = 0; i < a->users.count; i++) {
        uid_t uid;
        if (user_id(a->users.items[i], &uid))
            jout_i64(j, uid);
        else
            log_warn(&rv->log, "access: no user %.*s on this host", STR_FMT(a->users.items[i]));
    }
    jout_array_end(j);
    jout_name(j, "gids");
    jout_array(j);
    for (size_t i = 0; i < a->groups.count; i++) {
        gid_t gid;
        if (group_id(a->groups.items[i], &gid))
            jout_i64(j, gid);
        else
            log_warn(&rv->log, "access: no group %.*s on this host", STR_FMT(a->groups.items[i]));
    }
    jout_array_end(j);
    jout_object_end(j);
}

void access_put_roles(struct reeved *rv, struct jout *j)
{
    jout_name(j, "roles");
    jout_array(j);
    for (size_t i = 0; i < rv->house->access_count; i++)
        put_rule(rv, j, &rv->house->access[i]);
    if (!rv->house->access_count) {
        jout_object(j);
        jout_m_cstr(j, "role", "admin");
        jout_name(j, "uids");
        jout_array(j);
        jout_i64(j, 0);
        if (getuid() != 0)
            jout_i64(j, getuid());
        jout_array_end(j);
        jout_name(j, "gids");
        jout_array(j);
        jout_array_end(j);
        jout_object_end(j);
    }
    jout_array_end(j);
}

const struct person *access_person(const struct house *h, int64_t uid)
{
    const struct person *p = house_person_uid(h, uid);
    for (size_t i = 0; !p && i < h->person_count; i++) {
        uid_t id;
        if (h->people[i].uid < 0 && user_id(h->people[i].name, &id) && (int64_t)id == uid)
            p = &h->people[i];
    }
    return p;
}

static bool rule_names(const struct access_rule *a, uid_t uid, const gid_t *gids, size_t gid_count)
{
    for (size_t i = 0; i < a->users.count; i++) {
        uid_t id;
        if (user_id(a->users.items[i], &id) && id == uid)
            return true;
    }
    for (size_t i = 0; i < a->groups.count; i++) {
        gid_t id;
        for (size_t k = 0; group_id(a->groups.items[i], &id) && k < gid_count; k++)
            if (gids[k] == id)
                return true;
    }
    return false;
}

bool access_has_role(const struct reeved *rv, uid_t uid, const gid_t *gids, size_t gid_count,
                     enum access_role role)
{
    const struct house *h = rv->house;
    if (!h->access_count)
        return uid == 0 || uid == getuid();
    for (size_t i = 0; i < h->access_count; i++) {
        enum access_role has = h->access[i].role;
        /* Operating does not include approving: a separation of duties, which admins alone stand
         * above. */
        bool covers = has == ROLE_ADMIN || has == role || role == ROLE_VIEWER;
        if (covers && rule_names(&h->access[i], uid, gids, gid_count))
            return true;
    }
    return false;
}
