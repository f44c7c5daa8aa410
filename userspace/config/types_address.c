// SPDX-License-Identifier: Apache-2.0
/* The option types that name places on a network; types.c has the others. */
#include "config/config_internal.h"
#include "core/hex.h"

#include <ctype.h>
#include <errno.h>

static void schema_string(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "\"type\": \"string\", \"minLength\": 1");
}

/* --- address: an IP address and a port ----------------------------------------- */

static const char *read_address(struct reading *reading, struct slice text, void *field)
{
	struct address address;
	int err = address_parse(text, &address);

	(void)reading;
	if (err)
		return address_problem(err);
	if (!address_is_ip(&address))
		return "is not an IP address and port";
	memcpy(field, &address, sizeof(address));
	return NULL;
}

static void expect_address(const struct option *option, struct strbuf *out)
{
	strbuf_append_str(out, "an address such as 127.0.0.1:9901 or [::1]:9901");
	if (option->zero_word)
		strbuf_printf(out, ", or %s", option->zero_word);
}

const struct option_type type_address = {
	.name = "address",
	.size = sizeof(struct address),
	.read = read_address,
	.expect = expect_address,
	.schema = schema_string,
	.is_text = true,
};

/* --- endpoint: what it means also depends on "resolve" (shapes.c) --------------- */

static const char *read_endpoint(struct reading *reading, struct slice text, void *field)
{
	char *copy = arena_strdup(reading->arena, text);

	if (!copy)
		reading->is_out_of_memory = true;
	memcpy(field, &copy, sizeof(copy));
	return NULL;
}

static void expect_endpoint(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "an address such as 10.0.0.1:8080, [2001:db8::1]:8080 or "
			       "unix:/run/x.sock");
}

const struct option_type type_endpoint = {
	.name = "address",
	.size = sizeof(char *),
	.read = read_endpoint,
	.expect = expect_endpoint,
	.schema = schema_string,
	.is_text = true,
};

/* --- ip: without a port ------------------------------------------------------- */

static const char *read_ip(struct reading *reading, struct slice text, void *field)
{
	struct address address;
	int err = address_parse_ip(text, 0, &address);

	(void)reading;
	if (err)
		return err == -EINVAL ? "is not an IP address" : address_problem(err);
	memcpy(field, &address, sizeof(address));
	return NULL;
}

static void expect_ip(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "an IP address such as 192.0.2.1 or 2001:db8::1, without a port");
}

const struct option_type type_ip = {
	.name = "IP address",
	.size = sizeof(struct address),
	.read = read_ip,
	.expect = expect_ip,
	.schema = schema_string,
	.is_text = true,
};

/* --- network ------------------------------------------------------------------ */

static const char *read_network(struct reading *reading, struct slice text, void *field)
{
	struct prefix prefix;
	int err = prefix_parse(text, &prefix);

	(void)reading;
	switch (err) {
	case 0:
		memcpy(field, &prefix, sizeof(prefix));
		return NULL;
	case -ERANGE:
		return "has a prefix that is too long";
	case -EDOM:
		return "has bits set beyond its prefix";
	default:
		return "is not a network";
	}
}

static void expect_network(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "a network such as 10.0.0.0/8 or 2001:db8::/32");
}

const struct option_type type_network = {
	.name = "network",
	.size = sizeof(struct prefix),
	.read = read_network,
	.expect = expect_network,
	.schema = schema_string,
	.is_text = true,
};

/* --- bind --------------------------------------------------------------------- */

static const char *read_bind(struct reading *reading, struct slice text, void *field)
{
	struct config_bind *binds = field;
	const char *problem = parse_bind(text, binds, &reading->count);

	for (size_t i = 0; reading->node && i < BINDS_PER_TEXT; i++) {
		binds[i].line = reading->node->line;
		binds[i].column = reading->node->column;
	}
	return problem;
}

static void expect_bind(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "an address such as 0.0.0.0:80, [::]:80, *:8000-8010 or "
			       "unix:/run/x.sock");
}

static void schema_bind(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "\"type\": \"string\", "
			       "\"pattern\": "
			       "\"^(unix:.+|.*:[0-9]{1,5}(-[0-9]{1,5})?(/(tcp|udp))?)$\"");
}

const struct option_type type_bind = {
	.name = "bind",
	.size = sizeof(struct config_bind),
	.elements = BINDS_PER_TEXT,
	.read = read_bind,
	.expect = expect_bind,
	.schema = schema_bind,
};

/* --- port range ----------------------------------------------------------------- */

static const char *read_port_range(struct reading *reading, struct slice text, void *field)
{
	(void)reading;
	return parse_port_range(text, field);
}

static void expect_port_range(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "ports such as 10000-32767");
}

static void schema_port_range(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "\"type\": [\"string\", \"integer\"], "
			       "\"pattern\": \"^[0-9]{1,5}(-[0-9]{1,5})?$\", "
			       "\"minimum\": 1, \"maximum\": 65535");
}

const struct option_type type_port_range = {
	.name = "ports",
	.size = sizeof(struct config_port_range),
	.read = read_port_range,
	.expect = expect_port_range,
	.schema = schema_port_range,
};

/* --- sni: a host name or a wildcard -------------------------------------------- */

static const char *read_sni(struct reading *reading, struct slice text, void *field)
{
	struct slice name = text;
	char *copy;

	if (slice_starts_with(name, slice_of("*.", 2)))
		name = slice_skip(name, 2);
	if (!slice_equal_str(text, "*") && !is_host_name(name))
		return "is not a server name";
	copy = arena_strdup(reading->arena, text);
	if (!copy)
		reading->is_out_of_memory = true;
	for (size_t i = 0; copy && copy[i]; i++)
		copy[i] = (char)tolower((unsigned char)copy[i]);
	memcpy(field, &copy, sizeof(copy));
	return NULL;
}

static void expect_sni(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "a name such as www.example.com, *.example.com or *");
}

static void schema_sni(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "\"type\": \"string\", "
			       "\"pattern\": \"^([*]|([*][.])?[A-Za-z0-9_.-]+)$\"");
}

/* Source: RFC 6066 section 3. */
const struct option_type type_sni = {
	.name = "server name",
	.size = sizeof(char *),
	.read = read_sni,
	.expect = expect_sni,
	.schema = schema_sni,
};

/* --- server id of QUIC ------------------------------------------------------------ */

static const char *read_server_id(struct reading *reading, struct slice text, void *field)
{
	struct config_server_id id = {};

	(void)reading;
	if (text.len == 0 || text.len % 2 || text.len > 2 * sizeof(id.bytes))
		return "is not a server id";
	for (size_t i = 0; i < text.len; i++) {
		int digit = hex_digit((char)tolower((unsigned char)text.ptr[i]));

		if (digit < 0)
			return "is not a server id";
		id.bytes[i / 2] = (uint8_t)(id.bytes[i / 2] << 4 | digit);
	}
	id.len = (uint8_t)(text.len / 2);
	memcpy(field, &id, sizeof(id));
	return NULL;
}

static void expect_server_id(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "one to eight bytes in hexadecimal, such as 0a01");
}

static void schema_server_id(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "\"type\": [\"string\", \"integer\"], "
			       "\"pattern\": \"^([0-9A-Fa-f]{2}){1,8}$\"");
}

const struct option_type type_server_id = {
	.name = "server id",
	.size = sizeof(struct config_server_id),
	.read = read_server_id,
	.expect = expect_server_id,
	.schema = schema_server_id,
};
