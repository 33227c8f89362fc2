/*
 * model_request.h: a worker's chat.completions body: what of it may reach a gateway. Pure.
 *
 * The worker's code may be anybody's, and a gateway does what a body says: search the web, fetch a picture from where
 * it is told to, ask another model, open what another tenant has uploaded. All of that would be a way out past policy. So
 * only members that are known to shape an answer pass, and those that the operator lists for a route (`parameters`);
 * what a gateway would fetch must be in the request itself.
 */
#ifndef REEVE_POLICY_MODEL_REQUEST_H
#define REEVE_POLICY_MODEL_REQUEST_H

#include "policy/house.h"

/* 0; -EINVAL: it is none; -EACCES: it would act where policy is not asked. err names the member. */
int model_request_check(const struct json *request, struct strs parameters, struct err *err) NODISCARD;
/* Whether a member of a checked request goes to the gateway; others are the broker's to set, and are left out. */
bool model_request_passes(struct str member, struct strs parameters);
/* Set by the broker, or never sent: no route can list it. */
bool model_request_is_ours(struct str member);
/* The most tokens that all of its answers together may have, of a checked request; 0: it does not say. */
int64_t model_request_output_max(const struct json *request);

#endif
