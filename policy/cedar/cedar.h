/*
 * cedar.h: Cedar, language version 4.5, complete: what the rest of the house includes.
 *
 * Pure: bytes in, decisions out; no system call, no clock, no global. The decision, the reasons and
 * the errors of a request are those that Cedar's own engine gives. Every function of this folder
 * begins with `cedar_`, then its module.
 *
 *     struct cedar_policies *set = cedar_policies_new(&(struct cedar_load){0});
 *     rc = cedar_policies_add_text(set, STR("triage.cedar"), text, &diags);   for each file
 *     rc = cedar_policies_seal(set, &diags);                                  then
 * diags_has_errors() struct cedar_entities *world = cedar_entities_new(16u << 20, NULL); rc =
 * cedar_entities_add(world, &uid, &attrs, NULL, parents, n, err);    for each entity rc =
 * cedar_entities_seal(world, err); rc = cedar_authorize(set, &request, world, &arena, &answer,
 * err);
 */
#ifndef REEVE_CEDAR_CEDAR_H
#define REEVE_CEDAR_CEDAR_H

#include "policy/cedar/authorize.h"
#include "policy/cedar/cjson.h"
#include "policy/cedar/entity.h"
#include "policy/cedar/explain.h"
#include "policy/cedar/policies.h"
#include "policy/cedar/value.h"

#define CEDAR_LANGUAGE "4.5"

#endif
