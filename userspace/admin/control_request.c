// SPDX-License-Identifier: Apache-2.0
/*
 * A line of the control protocol, checked and turned into a request. Strict: members that a command
 * does not know are refused, so that a misspelt filter or argument never widens what is done.
 */
#include "admin/admin_internal.h"
#include "guard/bans.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static const char *const command_names[] = {
#define X(name, text) [CONTROL_##name] = text,
	CONTROL_COMMANDS(X)
#undef X
};

static const char *const state_names[] = {
#define X(name, text) [CONNECTION_##name] = text,
	CONNECTION_STATES(X)
#undef X
};

static const char *const action_names[] = {
#define X(name, text) [ENDPOINT_##name] = text,
	ENDPOINT_ADMIN_STATES(X)
#undef X
};

static const char *const guard_action_names[] = {
#define X(name, text) [GUARD_ACTION_##name] = text,
	GUARD_ACTIONS(X)
#undef X
};

const char *guard_action_name(enum guard_action action)
{
	return guard_action_names[action];
}

/* Return: the index; @count: there is none. */
static size_t find_name(const char *const *names, size_t count, const char *name)
{
	size_t i = 0;

	while (i < count && strcmp(names[i], name) != 0)
		i++;
	return i;
}

static int reject(struct control_error *error, enum control_error_code code, const char *fmt, ...)
	PRINTF(3, 4);

static int reject(struct control_error *error, enum control_error_code code, const char *fmt, ...)
{
	va_list args;

	error->code = code;
	va_start(args, fmt);
	vsnprintf(error->message, sizeof(error->message), fmt, args);
	va_end(args);
	return -EINVAL;
}

static int read_text(const json_t *value, const char **ret)
{
	*ret = json_string_value(value);
	return *ret && **ret ? 0 : -EINVAL;
}

static int read_number(const json_t *value, uint32_t min, uint32_t max, uint32_t *ret)
{
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < min || number > max)
		return -EINVAL;
	*ret = (uint32_t)number;
	return 0;
}

static int on_listener(struct control_request *request, const json_t *value)
{
	return read_text(value, &request->listener);
}

static int on_pool(struct control_request *request, const json_t *value)
{
	return read_text(value, &request->pool);
}

static int on_endpoint(struct control_request *request, const json_t *value)
{
	return read_text(value, &request->endpoint);
}

static int on_limit(struct control_request *request, const json_t *value)
{
	return read_number(value, 1, CONTROL_CONNECTIONS_MAX, &request->limit);
}

static int on_weight(struct control_request *request, const json_t *value)
{
	request->has_weight = true;
	return read_number(value, 0, 256, &request->weight);
}

static int on_state(struct control_request *request, const json_t *value)
{
	const char *name;
	size_t i;

	if (read_text(value, &name) < 0)
		return -EINVAL;
	i = find_name(state_names, ARRAY_SIZE(state_names), name);
	if (i == ARRAY_SIZE(state_names))
		return -EINVAL;
	request->state = (enum connection_state)i;
	request->has_state = true;
	return 0;
}

static int on_action(struct control_request *request, const json_t *value)
{
	const char *name;
	size_t i;

	if (read_text(value, &name) < 0)
		return -EINVAL;
	request->has_action = true;
	request->sets_weight = strcmp(name, "weight") == 0;
	if (request->sets_weight)
		return 0;
	i = find_name(action_names, ARRAY_SIZE(action_names), name);
	if (i == ARRAY_SIZE(action_names))
		return -EINVAL;
	request->action = (enum endpoint_admin)i;
	return 0;
}

static int on_guard_action(struct control_request *request, const json_t *value)
{
	const char *name;
	size_t i;

	if (read_text(value, &name) < 0)
		return -EINVAL;
	i = find_name(guard_action_names, ARRAY_SIZE(guard_action_names), name);
	if (i == ARRAY_SIZE(guard_action_names))
		return -EINVAL;
	request->guard_action = (enum guard_action)i;
	request->has_action = true;
	return 0;
}

static int on_mode(struct control_request *request, const json_t *value)
{
	const char *name;

	if (read_text(value, &name) < 0 || guard_mode_parse(name, &request->mode) < 0)
		return -EINVAL;
	request->has_mode = true;
	return 0;
}

static int on_network(struct control_request *request, const json_t *value)
{
	const char *text;

	if (read_text(value, &text) < 0 ||
	    prefix_parse(slice_from_str(text), &request->network) < 0)
		return -EINVAL;
	request->has_network = true;
	return 0;
}

static int on_seconds(struct control_request *request, const json_t *value)
{
	return read_number(value, 1, 366 * 86400, &request->seconds);
}

static int on_reason(struct control_request *request, const json_t *value)
{
	return read_text(value, &request->reason);
}

static int on_addresses(struct control_request *request, const json_t *value)
{
	struct address address;
	const json_t *item;
	const char *text;
	size_t i;

	if (!json_is_array(value) || json_array_size(value) > CONTROL_ADDRESSES_MAX)
		return -EINVAL;
	json_array_foreach(value, i, item)
	{
		if (read_text(item, &text) < 0 ||
		    address_parse_ip(slice_from_str(text), 0, &address) < 0)
			return -EINVAL;
	}
	request->addresses = value;
	return 0;
}

#define TAKES(command) (1u << CONTROL_##command)

static const struct member {
	const char *name;
	unsigned commands; /* those that know it */
	int (*read)(struct control_request *request, const json_t *value);
	const char *expected;
} members[] = {
	{"listener", TAKES(CONNECTIONS), on_listener, "a listener's name"},
	{"pool", TAKES(CONNECTIONS) | TAKES(ENDPOINT), on_pool, "a pool's name"},
	{"endpoint", TAKES(CONNECTIONS) | TAKES(ENDPOINT), on_endpoint,
	 "an endpoint's name or address"},
	{"state", TAKES(CONNECTIONS), on_state, "a state of connections"},
	{"limit", TAKES(CONNECTIONS) | TAKES(GUARD), on_limit, "a number from 1 to 65536"},
	{"action", TAKES(ENDPOINT), on_action, "ready, drain, maint or weight"},
	{"weight", TAKES(ENDPOINT), on_weight, "a number from 0 to 256"},
	{"action", TAKES(GUARD), on_guard_action,
	 "status, list, block, allow, ban, unblock, mode, talkers, capture or captured"},
	{"mode", TAKES(GUARD), on_mode, "off, monitor or enforce"},
	{"network", TAKES(GUARD), on_network, "an address or network such as 192.0.2.0/24"},
	{"seconds", TAKES(GUARD), on_seconds, "a number from 1 to 31622400"},
	{"reason", TAKES(GUARD), on_reason, "a text"},
	{"addresses", TAKES(GEO), on_addresses, "a list of at most 1000 IP addresses"},
};

static int read_member(struct control_request *request, const char *key, const json_t *value,
		       struct control_error *error)
{
	const char *command = command_names[request->command];

	if (strcmp(key, "v") == 0 || strcmp(key, "command") == 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		const struct member *member = &members[i];

		if (strcmp(member->name, key) != 0 || !(member->commands & 1u << request->command))
			continue;
		if (member->read(request, value) < 0)
			return reject(error, CONTROL_ERROR_BAD_ARGUMENT, "%s: \"%s\" must be %s",
				      command, key, member->expected);
		return 0;
	}
	return reject(error, CONTROL_ERROR_BAD_ARGUMENT, "%s does not know \"%.64s\"", command,
		      key);
}

static int check_guard(const struct control_request *request, struct control_error *error)
{
	enum guard_action action = request->guard_action;
	bool wants_network = action >= GUARD_ACTION_BLOCK && action <= GUARD_ACTION_UNBLOCK;

	if (!request->has_action)
		return reject(error, CONTROL_ERROR_BAD_ARGUMENT, "guard needs \"action\"");
	if (wants_network != request->has_network)
		return reject(
			error, CONTROL_ERROR_BAD_ARGUMENT,
			"guard: \"network\" goes with block, allow, ban and unblock, and only "
			"there");
	if ((action == GUARD_ACTION_MODE) != request->has_mode)
		return reject(error, CONTROL_ERROR_BAD_ARGUMENT,
			      "guard: \"mode\" goes with the action \"mode\", and only there");
	if ((action == GUARD_ACTION_BAN || action == GUARD_ACTION_CAPTURE) && !request->seconds)
		return reject(error, CONTROL_ERROR_BAD_ARGUMENT,
			      "guard: ban and capture need \"seconds\"");
	if (action == GUARD_ACTION_BAN && !guard_is_one_source(&request->network))
		return reject(error, CONTROL_ERROR_BAD_ARGUMENT,
			      "guard: ban takes one IPv4 address or a /64 of IPv6; block takes "
			      "any network");
	return 0;
}

static int check_whole(const struct control_request *request, struct control_error *error)
{
	if (request->command == CONTROL_GUARD)
		return check_guard(request, error);
	if (request->command != CONTROL_ENDPOINT)
		return 0;
	if (!request->pool || !request->endpoint || !request->has_action)
		return reject(error, CONTROL_ERROR_BAD_ARGUMENT,
			      "endpoint needs \"pool\", \"endpoint\" and \"action\"");
	if (request->sets_weight != request->has_weight)
		return reject(
			error, CONTROL_ERROR_BAD_ARGUMENT,
			"endpoint: \"weight\" goes with the action \"weight\", and only there");
	return 0;
}

static int read_object(json_t *root, struct control_request *ret, struct control_error *error)
{
	const json_t *version = json_object_get(root, "v");
	const char *command = json_string_value(json_object_get(root, "command"));
	const char *key;
	json_t *value;
	size_t i;

	if (!json_is_integer(version) || json_integer_value(version) != CONTROL_PROTOCOL_VERSION)
		return reject(error, CONTROL_ERROR_BAD_VERSION, "\"v\" must be %d",
			      CONTROL_PROTOCOL_VERSION);
	i = command ? find_name(command_names, CONTROL_COMMAND_COUNT, command)
		    : CONTROL_COMMAND_COUNT;
	if (i == CONTROL_COMMAND_COUNT)
		return reject(error, CONTROL_ERROR_UNKNOWN_COMMAND, "there is no command \"%.64s\"",
			      command ? command : "");
	ret->command = (enum control_command)i;
	json_object_foreach(root, key,
			    value) if (read_member(ret, key, value, error) < 0) return -EINVAL;
	return check_whole(ret, error);
}

int control_request_parse(struct slice line, struct control_request *ret,
			  struct control_error *ret_error)
{
	struct control_request request = {.limit = CONTROL_CONNECTIONS_LIMIT};
	json_error_t why;

	request.root = json_loadb(line.ptr, line.len, JSON_REJECT_DUPLICATES, &why);
	if (!json_is_object(request.root)) {
		json_decref(request.root);
		return reject(ret_error, CONTROL_ERROR_BAD_JSON, "not a JSON object: %.120s",
			      request.root ? "another value" : why.text);
	}
	if (read_object(request.root, &request, ret_error) < 0) {
		json_decref(request.root);
		return -EINVAL;
	}
	*ret = request;
	return 0;
}

void control_request_done(struct control_request *request)
{
	json_decref(request->root);
	*request = (struct control_request){0};
}
