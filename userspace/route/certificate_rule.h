/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_ROUTE_CERTIFICATE_RULE_H
#define SLUICE_ROUTE_CERTIFICATE_RULE_H

#include "config/route.h"
#include "core/compiler.h"
#include "core/regex.h"
#include "tls/peer.h"

/* What a route asks of the client's certificate. */
struct certificate_rule {
	const struct config_certificate_match *match;
	struct regex *subject, *issuer, *uri; /* NULL: any */
};

/* @match: borrowed. Return: 0; -ENOMEM; -EINVAL: a pattern does not compile. On failure too
 * certificate_rule_done() is due. */
int certificate_rule_init(struct certificate_rule *rule,
			  const struct config_certificate_match *match) WARN_UNUSED;
void certificate_rule_done(struct certificate_rule *rule);

/* @shown: that was verified; NULL: none. Return: as regex_match(). */
int certificate_rule_holds(const struct certificate_rule *rule, const struct tls_peer *shown,
			   struct regex_scratch *scratch);

#endif
