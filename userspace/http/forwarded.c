// SPDX-License-Identifier: Apache-2.0
/* What a proxy tells of the way of a request, and what may be believed of what others told. */
#include "http/forwarded.h"

#include "http/http_internal.h"
#include "http/list.h"

#include <errno.h>

#define TEXT HTTP_TEXT

/* --- Telling -------------------------------------------------------------------------- */

/* The first ones are believed of nobody. */
#define UNBELIEVED 2
/* Before it stands Forwarded. */
#define FIRST_X 3
static const enum http_field_id claims[] = {
	HTTP_FIELD_CLIENT_CERT,       HTTP_FIELD_CLIENT_CERT_CHAIN, HTTP_FIELD_FORWARDED,
	HTTP_FIELD_X_FORWARDED_FOR,   HTTP_FIELD_X_FORWARDED_HOST,  HTTP_FIELD_X_FORWARDED_PORT,
	HTTP_FIELD_X_FORWARDED_PROTO, HTTP_FIELD_X_REAL_IP,
};

/* Those from @first to before @end. */
static void remove_claims(struct http_fields *fields, size_t first, size_t end)
{
	for (size_t i = first; i < end; i++)
		http_fields_remove(fields, claims[i]);
}

void http_forwarded_distrust(struct http_fields *fields)
{
	remove_claims(fields, 0, ARRAY_SIZE(claims));
}

void http_client_cert_distrust(struct http_fields *fields)
{
	remove_claims(fields, 0, UNBELIEVED);
}

void http_forwarded_believe(struct http_fields *fields, bool in_forwarded, bool in_x_forwarded)
{
	if (!in_forwarded)
		remove_claims(fields, UNBELIEVED, FIRST_X);
	if (!in_x_forwarded)
		remove_claims(fields, FIRST_X, ARRAY_SIZE(claims));
}

/* Sets @id to what is there, a comma, and @element. */
static int append_element(struct http_fields *fields, enum http_field_id id, struct slice element)
{
	struct slice old = {}, value;
	int err = http_fields_join(fields, id, &old);

	if (err == -ENOMEM)
		return err;
	if (old.len == 0)
		return http_fields_set_id(fields, id, element);
	err = http_concat(fields->arena, (const struct slice[]){old, TEXT(", "), element}, 3,
			  &value);
	return err ? err : http_fields_set_id(fields, id, value);
}

/* The value of a parameter: itself if it is a token, otherwise quoted. */
static int quote(struct arena *arena, struct slice value, struct slice *ret)
{
	char *text, *at;

	*ret = value;
	if (http_is_token(value))
		return 0;
	if (!http_is_field_value(value))
		return -EINVAL;
	text = at = arena ? arena_alloc(arena, 2 * value.len + 2) : NULL;
	if (!text)
		return -ENOMEM;
	*at++ = '"';
	for (size_t i = 0; i < value.len; i++) {
		if (value.ptr[i] == '"' || value.ptr[i] == '\\')
			*at++ = '\\';
		*at++ = value.ptr[i];
	}
	*at++ = '"';
	*ret = slice_of(text, (size_t)(at - text));
	return 0;
}

/* A node (RFC 7239 section 6): IPv6 in brackets and quotes. */
static int format_node(struct arena *arena, struct slice ip, struct slice *ret)
{
	*ret = ip.len ? ip : TEXT("unknown");
	if (ip.len == 0 || !memchr(ip.ptr, ':', ip.len))
		return 0;
	return http_concat(arena, (const struct slice[]){TEXT("\"["), ip, TEXT("]\"")}, 3, ret);
}

int http_forwarded_add(struct http_fields *fields, const struct http_hop *hop)
{
	struct slice parts[8] = {TEXT("for=")}, element;
	size_t count = 2;
	int err = format_node(fields->arena, hop->client, &parts[1]);

	if (!err && hop->by.len) {
		parts[count++] = TEXT(";by=");
		err = format_node(fields->arena, hop->by, &parts[count++]);
	}
	if (!err && hop->host.len) {
		parts[count++] = TEXT(";host=");
		err = quote(fields->arena, hop->host, &parts[count++]);
	}
	if (err)
		return err;
	parts[count++] = TEXT(";proto=");
	parts[count++] = hop->scheme;
	err = http_concat(fields->arena, parts, count, &element);
	return err ? err : append_element(fields, HTTP_FIELD_FORWARDED, element);
}

static int add_if_absent(struct http_fields *fields, enum http_field_id id, struct slice value)
{
	if (value.len == 0 || http_fields_has(fields, id))
		return 0;
	return http_fields_add_id(fields, id, value);
}

int http_x_forwarded_add(struct http_fields *fields, const struct http_hop *hop)
{
	struct slice client = hop->client.len ? hop->client : TEXT("unknown"), port = {};
	char digits[20];
	int err = append_element(fields, HTTP_FIELD_X_FORWARDED_FOR, client);

	if (!err)
		err = add_if_absent(fields, HTTP_FIELD_X_FORWARDED_PROTO, hop->scheme);
	if (!err)
		err = add_if_absent(fields, HTTP_FIELD_X_FORWARDED_HOST, hop->host);
	if (err || hop->port == 0)
		return err;
	port = http_decimal(hop->port, digits);
	err = http_concat(fields->arena, &port, 1, &port);
	return err ? err : add_if_absent(fields, HTTP_FIELD_X_FORWARDED_PORT, port);
}

static struct slice version_name(enum http_version version)
{
	return version == HTTP_VERSION_1_0 ? TEXT("1.0")
	       : version == HTTP_VERSION_2 ? TEXT("2.0")
					   : TEXT("1.1");
}

int http_via_add(struct http_fields *fields, enum http_version version, struct slice name)
{
	const struct slice parts[] = {version_name(version), TEXT(" "), name};
	struct slice element;
	int err = http_concat(fields->arena, parts, ARRAY_SIZE(parts), &element);

	return err ? err : append_element(fields, HTTP_FIELD_VIA, element);
}

/* --- Believing ------------------------------------------------------------------------ */

/* "1.1 name (comment)": the second word. */
static struct slice received_by(struct slice member)
{
	const char *blank = memchr(member.ptr, ' ', member.len);
	struct slice rest;
	size_t len = 0;

	if (!blank)
		return (struct slice){};
	rest = http_trim(slice_skip(member, (size_t)(blank - member.ptr)));
	while (len < rest.len && !http_is_blank(rest.ptr[len]))
		len++;
	return slice_of(rest.ptr, len);
}

unsigned http_via_count(const struct http_fields *fields, struct slice name)
{
	const struct http_field *field = http_fields_find(fields, HTTP_FIELD_VIA);
	unsigned count = 0;

	for (; field; field = http_fields_find_next(fields, field)) {
		struct slice list = field->value, member;

		while (http_list_next(&list, &member))
			count += slice_equal_nocase(received_by(member), name);
	}
	return count;
}

static struct slice *part_of(struct http_forwarded *element, struct slice name)
{
	if (slice_equal_nocase(name, TEXT("for")))
		return &element->for_node;
	if (slice_equal_nocase(name, TEXT("by")))
		return &element->by_node;
	if (slice_equal_nocase(name, TEXT("host")))
		return &element->host;
	return slice_equal_nocase(name, TEXT("proto")) ? &element->proto : NULL;
}

int http_forwarded_next(struct slice *value, struct http_forwarded *ret)
{
	struct http_forwarded element = {};
	struct http_param param;
	struct slice member;
	int r;

	if (!http_list_next(value, &member))
		return 0;
	while ((r = http_param_next(&member, &param)) > 0) {
		struct slice *part = part_of(&element, param.name);

		if (part && part->ptr)
			return -EINVAL; /* RFC 7239 section 4: each at most once */
		if (part)
			*part = param.value;
	}
	if (r == 0)
		*ret = element;
	return r < 0 ? r : 1;
}

/* Cuts ":port" or ":_hidden" off @node, and what it is of an IPv6 address in brackets. */
static int split_node(struct slice node, struct slice *ret_ip, uint16_t *ret_port)
{
	const char *colon = memrchr(node.ptr, ':', node.len);
	const char *bracket = memrchr(node.ptr, ']', node.len);
	struct slice port = {};
	uint64_t number = 0;

	*ret_ip = node;
	if (node.ptr[0] == '[' ? colon > bracket
			       : colon && colon == memchr(node.ptr, ':', node.len)) {
		ret_ip->len = (size_t)(colon - node.ptr);
		port = slice_skip(node, ret_ip->len + 1);
		if (port.len == 0)
			return -EINVAL;
	}
	if (port.len && port.ptr[0] != '_' &&
	    (http_decimal_parse(port, &number) || number > UINT16_MAX))
		return -EINVAL;
	*ret_port = (uint16_t)number;
	if (node.ptr[0] != '[')
		return 0;
	if (ret_ip->len < 2 || ret_ip->ptr[ret_ip->len - 1] != ']')
		return -EINVAL;
	*ret_ip = slice_of(ret_ip->ptr + 1, ret_ip->len - 2);
	return memchr(ret_ip->ptr, ':', ret_ip->len) ? 0 : -EINVAL;
}

int http_node_parse(struct slice node, struct address *ret)
{
	struct address address;
	struct slice ip;
	uint16_t port;

	if (node.len == 0)
		return -EINVAL;
	if (node.ptr[0] == '_' || slice_equal_nocase(node, TEXT("unknown")))
		return -ENOENT;
	if (split_node(node, &ip, &port) || address_parse_ip(ip, port, &address))
		return -EINVAL;
	address_unmap(&address);
	*ret = address;
	return 0;
}

/* --- The way back ----------------------------------------------------------------------- */

struct way {
	const struct prefix *trusted;
	size_t trusted_count;
	struct http_way_client client; /* the last one that was read */
};

static bool is_at_client(const struct way *way)
{
	for (size_t i = 0; i < way->trusted_count; i++)
		if (prefix_contains(&way->trusted[i], &way->client.address))
			return false;
	return true;
}

/* Cuts the last element off @list. What stands before it may be a stranger's, whose quotes must not
 * reach what those who are trusted have written behind it: so it is found from the end. */
static struct slice take_last(struct slice *list)
{
	size_t from = list->len, len = list->len;
	const char *text = list->ptr;
	bool is_quoted = false;

	for (; from > 0; from--) {
		bool is_escaped = is_quoted && from > 1 && text[from - 2] == '\\';

		if (text[from - 1] == '"' && !is_escaped)
			is_quoted = !is_quoted;
		else if (text[from - 1] == ',' && !is_quoted)
			break;
	}
	list->len = from ? from - 1 : 0;
	return http_trim(slice_of(text + from, len - from));
}

/* Of Forwarded: one element, and nothing that would make two of it. */
static bool read_element(struct slice text, struct slice *ret_node, struct slice *ret_proto)
{
	struct http_forwarded element;

	if (http_forwarded_next(&text, &element) <= 0 || text.len)
		return false;
	*ret_node = element.for_node;
	*ret_proto = element.proto;
	return true;
}

/* Return: false: it cannot be read, and what stands before it is not believed. */
static bool step(struct way *way, enum http_field_id id, struct slice text)
{
	struct slice node = text, proto = {};
	struct address address;

	if (id == HTTP_FIELD_FORWARDED && !read_element(text, &node, &proto))
		return false;
	if (http_node_parse(node, &address))
		return false;
	way->client = (struct http_way_client){.address = address, .proto = proto};
	return true;
}

static void walk(struct way *way, enum http_field_id id, struct slice list)
{
	bool is_read = true;

	while (list.len && is_read && !is_at_client(way)) {
		struct slice element = take_last(&list);

		if (element.len)
			is_read = step(way, id, element);
	}
}

int http_way_find_client(const struct http_fields *fields, const struct address *peer,
			 const struct prefix *trusted, size_t trusted_count,
			 struct http_way_client *ret)
{
	struct way way = {
		.trusted = trusted,
		.trusted_count = trusted_count,
		.client = {.address = *peer},
	};
	enum http_field_id id = http_fields_has(fields, HTTP_FIELD_FORWARDED)
					? HTTP_FIELD_FORWARDED
					: HTTP_FIELD_X_FORWARDED_FOR;
	struct slice list = {};

	if (http_fields_join(fields, id, &list) == -ENOMEM)
		return -ENOMEM;
	walk(&way, id, list);
	*ret = way.client;
	return 0;
}
