/*
 * audit.c: see audit.h. Runs in reeved. Arguments appear by digest only: an audit record must be
 * fit to leave the house.
 */
#include "supervisor/audit.h"

static int add(struct reeved *rv, struct str actor, struct str action, struct str subject,
               struct buf *detail, int rc, struct err *err)
{
    rc = rc < 0 ? err_sys(err, -rc, "write an audit record")
                : store_audit_add(rv->store, reeved_now(rv), actor, action, subject,
                                  buf_str(detail), err);
    buf_release(detail);
    return rc;
}

int audit_run(struct run *r, const char *what, struct err *err)
{
    struct buf detail;
    struct jout j;
    char subject[32], action[48], hex[DIGEST_HEX];
    snprintf(subject, sizeof(subject), "run/%" PRId64, r->rec.id);
    snprintf(action, sizeof(action), "run.%s", what);
    digest_hex(&r->rec.version, hex);
    buf_init(&detail, 65536);
    jout_begin(&j, &detail);
    jout_object(&j);
    jout_m_str(&j, "workflow", r->rec.workflow);
    jout_m_str(&j, "tenant", r->rec.tenant);
    jout_m_cstr(&j, "version", hex);
    jout_m_cstr(&j, "state", run_state_name(r->rec.state));
    jout_m_i64(&j, "attempt", r->rec.attempt);
    jout_m_str(&j, "reason", r->rec.reason);
    jout_object_end(&j);
    return add(r->rv, STR("reeve"), str_of(action), str_of(subject), &detail, jout_end(&j), err);
}

int audit_approval(struct reeved *rv, int64_t approval, struct str actor, const char *what,
                   struct str text, struct err *err)
{
    struct buf detail;
    struct jout j;
    char subject[32], action[48];
    snprintf(subject, sizeof(subject), "approval/%" PRId64, approval);
    snprintf(action, sizeof(action), "approval.%s", what);
    buf_init(&detail, 65536);
    jout_begin(&j, &detail);
    jout_object(&j);
    jout_m_str(&j, "text", text);
    jout_object_end(&j);
    return add(rv, actor, str_of(action), str_of(subject), &detail, jout_end(&j), err);
}

int audit_step(struct run *r, const struct step *s, const char *what, struct err *err)
{
    struct buf detail;
    struct jout j;
    char subject[64], action[48], hex[DIGEST_HEX];
    snprintf(subject, sizeof(subject), "run/%" PRId64 "/step/%" PRId64, r->rec.id, s->rec.seq);
    snprintf(action, sizeof(action), "%s.%s", step_kind_name(s->rec.kind), what);
    digest_hex(&s->rec.request, hex);
    buf_init(&detail, 65536);
    jout_begin(&j, &detail);
    jout_object(&j);
    jout_m_str(&j, "tenant", r->rec.tenant);
    jout_m_str(&j, "workflow", r->rec.workflow);
    jout_m_str(&j, "key", s->rec.key);
    jout_m_cstr(&j, "request", hex);
    jout_m_i64(&j, "decision", s->rec.decision);
    jout_m_i64(&j, "approval", s->rec.approval);
    jout_m_i64(&j, "try", s->rec.tries);
    jout_m_str(&j, "reason", s->rec.reason);
    jout_object_end(&j);
    return add(r->rv, str_of(r->key), str_of(action), str_of(subject), &detail, jout_end(&j), err);
}

int audit_note(struct reeved *rv, struct str actor, const char *action, struct str subject,
               struct str text, struct err *err)
{
    struct buf detail;
    struct jout j;
    buf_init(&detail, 65536);
    jout_begin(&j, &detail);
    jout_object(&j);
    jout_m_str(&j, "text", text);
    jout_object_end(&j);
    return add(rv, actor, str_of(action), subject, &detail, jout_end(&j), err);
}
