// SPDX-License-Identifier: Apache-2.0
/* The part of the schema table that is about TLS, and what its options ask of each other. What is
 * in the files is read by tls/. */
#include "config/config_internal.h"

static const struct word profile_words[] = {
	{"intermediate", CONFIG_TLS_INTERMEDIATE},
	{"modern", CONFIG_TLS_MODERN},
	{},
};

static const struct word version_words[] = {
	{"1.2", CONFIG_TLS_1_2},
	{"1.3", CONFIG_TLS_1_3},
	{},
};

static const struct word client_auth_words[] = {
	{"off", CONFIG_CLIENT_AUTH_OFF},
	{"optional", CONFIG_CLIENT_AUTH_OPTIONAL},
	{"required", CONFIG_CLIENT_AUTH_REQUIRED},
	{},
};

static const struct word host_check_words[] = {
	{"off", CONFIG_HOST_CHECK_OFF},
	{"certificate", CONFIG_HOST_CHECK_CERTIFICATE},
	{"sni", CONFIG_HOST_CHECK_SNI},
	{},
};

static const struct word ktls_words[] = {
	{"off", CONFIG_KTLS_OFF},
	{"auto", CONFIG_KTLS_AUTO},
	{},
};

/* --- At listeners ------------------------------------------------------------------ */

static const struct option certificate_options[] = {
	{.name = "cert",
	 .type = &type_file,
	 FIELD(config_certificate, cert),
	 .example = "www.example.com.pem",
	 .is_required = true,
	 .help = "PEM file with the certificate and the chain behind it. It serves the DNS names "
		 "that it names. Relative paths begin at the configuration file's directory."},
	{.name = "key",
	 .type = &type_file,
	 FIELD(config_certificate, key),
	 .example = "www.example.com.key",
	 .help = "PEM file with the private key, without a passphrase; the certificate's file "
		 "holds "
		 "it if this is left out."},
	{.name = "ocsp",
	 .type = &type_file,
	 FIELD(config_certificate, ocsp),
	 .example = "www.example.com.ocsp",
	 .help = "DER file with the authority's OCSP response, to be stapled; read again at each "
		 "reload."},
};

static const struct schema schema_certificate = {
	SCHEMA("a certificate", certificate_options),
	.size = sizeof(struct config_certificate),
	.scalar = &certificate_options[0],
};

static const struct option client_auth_options[] = {
	{.name = "mode",
	 .type = &type_word,
	 FIELD(config_tls, client_auth),
	 .words = client_auth_words,
	 .default_text = "off",
	 .help = "Whether clients are asked for a certificate. One that is presented must be valid "
		 "in any case; required: there must be one."},
	{.name = "ca",
	 .type = &type_file,
	 FIELD(config_tls, client_ca),
	 .example = "clients-ca.pem",
	 .help = "PEM file with the authorities that clients' certificates come from."},
	{.name = "crl",
	 .type = &type_file,
	 FIELD(config_tls, client_crl),
	 .example = "clients-ca.crl",
	 .help = "PEM file with the revocation lists of all those authorities."},
};

static const struct schema schema_client_auth = {SCHEMA("client_auth", client_auth_options)};

static const struct option ticket_options[] = {
	{.name = "enabled",
	 .type = &type_boolean,
	 FIELD(config_tls, has_tickets),
	 .default_text = "true",
	 .help = "Whether clients get tickets by which they may resume a session."},
	{.name = "lifetime",
	 .type = &type_duration,
	 FIELD(config_tls, ticket_lifetime_ms),
	 RANGE(MINUTE, 7 * DAY),
	 .default_text = "1h",
	 .help = "How long a ticket is good for. The keys that tickets are made with are random, "
		 "change as often, and are forgotten after three times as long."},
	{.name = "count",
	 .type = &type_count,
	 FIELD(config_tls, ticket_count),
	 RANGE(1, 8),
	 .default_text = "1",
	 .help = "How many tickets follow a full handshake of TLS 1.3, each good for one "
		 "connection more; one that resumed is followed by one."},
};

static const struct schema schema_tickets = {
	SCHEMA("tickets", ticket_options),
	.scalar = &ticket_options[0],
};

static const struct option listener_tls_options[] = {
	{.name = "certificates",
	 .type = &type_mapping,
	 .members = &schema_certificate,
	 LIST(config_tls, certificates),
	 .is_required = true,
	 .help = "Chosen by the name that the client asks for: exact, then wildcard, then the "
		 "first "
		 "one. Several kinds of keys for one name stand side by side: the client's "
		 "signature algorithms choose. A bare path is a file that holds both."},
	{.name = "profile",
	 .type = &type_word,
	 FIELD(config_tls, profile),
	 .words = profile_words,
	 .default_text = "intermediate",
	 .help = "Which ciphers and groups are offered. intermediate: ECDHE with AES-GCM or "
		 "ChaCha20 on TLS 1.2 and 1.3; modern: TLS 1.3 alone."},
	{.name = "min_version",
	 .type = &type_word,
	 FIELD(config_tls, min_version),
	 .words = version_words,
	 .default_text = "1.2",
	 .help = "The oldest version of TLS that is spoken; with profile: modern it is 1.3."},
	{.name = "max_version",
	 .type = &type_word,
	 FIELD(config_tls, max_version),
	 .words = version_words,
	 .default_text = "1.3",
	 .help = "The newest version of TLS that is spoken."},
	{.name = "alpn",
	 .type = &type_alpn,
	 LIST(config_tls, alpn),
	 .example = "[http/1.1]",
	 .help = "Protocols to agree on by ALPN, best first. A client that offers ALPN but none of "
		 "them is refused; without this option ALPN is not answered."},
	{.name = "ocsp_fetch",
	 .type = &type_boolean,
	 FIELD(config_tls, fetches_ocsp),
	 .default_text = "false",
	 .help = "Whether OCSP responses are fetched from the responders that certificates name, "
		 "and stapled; not for certificates with ocsp of their own."},
	{.name = "early_data",
	 .type = &type_size,
	 FIELD(config_tls, early_data_bytes),
	 RANGE(0, MIB),
	 .default_text = "0",
	 .help = "Bytes that a client who resumes may send with its ClientHello (0-RTT), in mode "
		 "http. They may be an attacker's copy: requests in them are taken if their method "
		 "is safe, and marked with Early-Data; others are answered 425. 0: none."},
	{.name = "host_check",
	 .type = &type_word,
	 FIELD(config_tls, host_check),
	 .words = host_check_words,
	 .default_text = "off",
	 .help = "Mode http: a request for a host that is not in the certificate that the client "
		 "was shown, or, with sni, not the one that it asked for, is answered 421."},
	{.name = "ktls",
	 .type = &type_word,
	 FIELD(config_tls, ktls),
	 .words = ktls_words,
	 .default_text = "auto",
	 .help = "Mode http: auto has the kernel encrypt long files of routes with files, where it "
		 "has kernel TLS (`modprobe tls`); off leaves them to OpenSSL."},
	{.name = "client_auth",
	 .type = &type_mapping,
	 .members = &schema_client_auth,
	 .help = "Certificates of clients."},
	{.name = "tickets",
	 .type = &type_mapping,
	 .members = &schema_tickets,
	 .help = "Resumption by stateless tickets, on any worker. \"tickets: false\" turns it "
		 "off."},
	{.name = "handshake_timeout",
	 .type = &type_duration,
	 FIELD(config_tls, handshake_timeout_ms),
	 RANGE(1, 5 * MINUTE),
	 .default_text = "10s",
	 .help = "How long a handshake may take, from its beginning to its end."},
	{.name = "key_log",
	 .type = &type_file,
	 FIELD(config_tls, key_log),
	 .example = "/run/sluice/keys.log",
	 .help = "For debugging alone: a file to which the secrets of every connection are "
		 "appended. Who reads it reads all traffic."},
};

const struct schema schema_listener_tls = {
	SCHEMA("tls", listener_tls_options),
	.finish = finish_listener_tls,
};

static void report(struct decoder *decoder, const struct node *node, const char *option,
		   const char *text)
{
	diagnose(decoder->diagnostics, node_member_or_self(node, option), "%s: %s", option, text);
}

void finish_listener_tls(struct decoder *decoder, const struct node *node, void *base)
{
	struct config_tls *tls = base;
	const struct node *auth = node_member_or_self(node, "client_auth");

	tls->line = node->line;
	tls->column = node->column;
	if (tls->profile == CONFIG_TLS_MODERN)
		tls->min_version = CONFIG_TLS_1_3;
	if (tls->max_version < tls->min_version)
		report(decoder, node, "max_version",
		       "1.2 is below the oldest version that is spoken; expected \"1.3\"");
	if (tls->client_auth != CONFIG_CLIENT_AUTH_OFF && !tls->client_ca.path)
		diagnose(decoder->diagnostics, auth,
			 "client_auth has no ca; expected a file with the clients' authorities");
	if (tls->client_auth == CONFIG_CLIENT_AUTH_OFF &&
	    (tls->client_ca.path || tls->client_crl.path))
		diagnose(decoder->diagnostics, auth,
			 "client_auth names files, but its mode is off; expected optional or "
			 "required");
}

/* --- To endpoints ------------------------------------------------------------------ */

static const struct option pool_tls_options[] = {
	{.name = "verify",
	 .type = &type_boolean,
	 FIELD(config_pool_tls, is_verified),
	 .default_text = "true",
	 .help = "Whether the endpoint's certificate must be valid and name the server. false "
		 "leaves "
		 "the traffic open to whoever stands in between."},
	{.name = "ca",
	 .type = &type_file,
	 FIELD(config_pool_tls, ca),
	 .example = "backends-ca.pem",
	 .help = "PEM file with the authorities that endpoints' certificates come from; the "
		 "system's "
		 "without it."},
	{.name = "server_name",
	 .type = &type_host,
	 FIELD(config_pool_tls, server_name),
	 .example = "backend.example.com",
	 .help = "The name to ask for by SNI and to find in the certificate. Without it, that is "
		 "the endpoint's host name, or for an endpoint without one its IP address."},
	{.name = "cert",
	 .type = &type_file,
	 FIELD(config_pool_tls, cert),
	 .example = "client.pem",
	 .help = "PEM file with a certificate to present when an endpoint asks for one, and its "
		 "chain."},
	{.name = "key",
	 .type = &type_file,
	 FIELD(config_pool_tls, key),
	 .example = "client.key",
	 .help = "PEM file with its key; the certificate's file holds it if this is left out."},
	{.name = "alpn",
	 .type = &type_alpn,
	 LIST(config_pool_tls, alpn),
	 .example = "[http/1.1]",
	 .help = "Protocols to offer by ALPN, best first."},
	{.name = "min_version",
	 .type = &type_word,
	 FIELD(config_pool_tls, min_version),
	 .words = version_words,
	 .default_text = "1.2",
	 .help = "The oldest version of TLS that is spoken."},
};

const struct schema schema_pool_tls = {
	SCHEMA("tls", pool_tls_options),
	.finish = finish_pool_tls,
};

/* The name is sent and compared: an address would match no certificate's name. */
void finish_pool_tls(struct decoder *decoder, const struct node *node, void *base)
{
	struct config_pool_tls *tls = base;

	tls->is_enabled = true;
	tls->line = node->line;
	tls->column = node->column;
	if (tls->key.path && !tls->cert.path)
		report(decoder, node, "key", "stands without cert; expected both");
}
