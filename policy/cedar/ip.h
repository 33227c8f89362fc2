/*
 * ip.h: addresses and ranges.
 */
#ifndef REEVE_CEDAR_IP_H
#define REEVE_CEDAR_IP_H

#include "policy/cedar/value.h"

#define CEDAR_IP_TEXT 64

/* "10.0.0.1", "10.0.0.0/8", "::1", "fe80::/10"; no IPv4 inside IPv6. -EINVAL and *ret_why (static).
 */
int cedar_ip_parse(struct str text, struct cedar_ip *ret, const char **ret_why) NODISCARD;
bool cedar_ip_is_loopback(const struct cedar_ip *ip);
bool cedar_ip_is_multicast(const struct cedar_ip *ip);
bool cedar_ip_is_in_range(const struct cedar_ip *ip, const struct cedar_ip *range);
size_t cedar_ip_text(const struct cedar_ip *ip,
                     char text[CEDAR_IP_TEXT]); /* with the prefix, if any */

#endif
