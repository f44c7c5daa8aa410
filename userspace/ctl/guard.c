// SPDX-License-Identifier: Apache-2.0
/* sluicectl guard: its arguments, and what comes back as text. */
#include "core/address.h"
#include "ctl/ctl_internal.h"
#include "guard/bans.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define USAGE                                                                                   \
	"guard takes: status | list | talkers | block NETWORK [for TIME] [REASON] | allow "     \
	"NETWORK [for TIME] [REASON] | ban ADDRESS for TIME [REASON] | unblock NETWORK | mode " \
	"off|monitor|enforce | reload"

static int usage(struct strbuf *error)
{
	strbuf_append_str(error, USAGE);
	return -EINVAL;
}

/* "90s", "10m", "12h", "7d". */
static int parse_time(const char *text, uint32_t *ret_s)
{
	static const char units[] = "smhd";
	static const uint32_t seconds[] = {1, 60, 3600, 86400};
	unsigned long value;
	const char *unit;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	value = strtoul(text, &end, 10);
	unit = *end ? strchr(units, *end) : NULL;
	if (!unit || end[1] || value == 0 || value > 31622400 / seconds[unit - units])
		return -EINVAL;
	*ret_s = (uint32_t)value * seconds[unit - units];
	return 0;
}

static int refuse(struct strbuf *error, const char *action, const char *got, const char *expected)
{
	strbuf_printf(error, "guard %s: '%s' is not %s", action, got, expected);
	return -EINVAL;
}

static int read_mode(const char *text, struct ctl_options *options, struct strbuf *error)
{
	static const char *const modes[] = {"off", "monitor", "enforce"};

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		if (strcmp(text, modes[i]) == 0) {
			options->mode = text;
			return 0;
		}
	return refuse(error, options->action, text, "off, monitor or enforce");
}

static int read_network(const char *text, struct ctl_options *options, struct strbuf *error)
{
	const char *expected = "a network such as 192.0.2.0/24 or 2001:db8::/32";
	bool is_ban = strcmp(options->action, "ban") == 0;
	struct prefix prefix;

	options->network = text;
	if (is_ban)
		expected = "an address such as 192.0.2.1 or 2001:db8::1, or a /64 of IPv6";
	if (prefix_parse(slice_from_str(text), &prefix) < 0 ||
	    (is_ban && !guard_is_one_source(&prefix)))
		return refuse(error, options->action, text, expected);
	return 0;
}

/* NETWORK [for TIME] [REASON] */
static int parse_order(char **arguments, int count, struct ctl_options *options,
		       struct strbuf *error)
{
	if (count < 1)
		return usage(error);
	if (read_network(arguments[0], options, error) < 0)
		return -EINVAL;
	arguments++;
	count--;
	if (count >= 1 && strcmp(arguments[0], "for") == 0) {
		if (count < 2 || parse_time(arguments[1], &options->seconds) < 0) {
			strbuf_printf(error, "for: '%s' is not a time such as 90s, 10m, 12h or 7d",
				      count < 2 ? "" : arguments[1]);
			return -EINVAL;
		}
		arguments += 2;
		count -= 2;
	}
	if (count > 1)
		return usage(error);
	options->reason = count ? arguments[0] : NULL;
	return 0;
}

int guard_read_arguments(char **arguments, int count, struct ctl_options *options,
			 struct strbuf *error)
{
	static const char *const alone[] = {"status", "list", "talkers", "reload"};
	const char *action = count ? arguments[0] : "status";

	options->action = action;
	for (size_t i = 0; i < ARRAY_SIZE(alone); i++)
		if (strcmp(action, alone[i]) == 0)
			return count > 1 ? usage(error) : 0;
	if (strcmp(action, "mode") == 0 && count == 2)
		return read_mode(arguments[1], options, error);
	if (strcmp(action, "unblock") == 0 && count == 2)
		return read_network(arguments[1], options, error);
	if (strcmp(action, "block") != 0 && strcmp(action, "allow") != 0 &&
	    strcmp(action, "ban") != 0)
		return usage(error);
	if (parse_order(arguments + 1, count - 1, options, error) < 0)
		return -EINVAL;
	return strcmp(action, "ban") == 0 && !options->seconds ? usage(error) : 0;
}

/* --- What comes back ---------------------------------------------------------------------------*/

static uint64_t packets_of(const json_t *object, const char *key)
{
	return member_count(json_object_get(object, key), "packets");
}

static void view_reasons(const json_t *result, const struct ctl_screen *screen, struct strbuf *out)
{
	static const struct table_column columns[] = {
		{.title = "REASON"},
		{.title = "DROPPED", .is_right = true},
		{.title = "WOULD DROP", .is_right = true},
	};
	const json_t *row;
	struct table table;

	table_init(&table, columns, ARRAY_SIZE(columns));
	for (size_t i = 0; (row = member_element(result, "reasons", i)); i++) {
		uint64_t dropped = packets_of(row, "dropped"),
			 would = packets_of(row, "would_drop");

		if (!dropped && !would)
			continue;
		table_add(&table, TABLE_PLAIN, member_text(row, "reason"));
		table_add_count(&table, dropped);
		table_add_count(&table, would);
	}
	if (table.ncells)
		table_render(&table, screen, 0, out);
	table_done(&table);
}

static const char *describe_place(const json_t *result)
{
	if (strcmp(member_text(result, "mode"), "off") == 0)
		return "";
	return strcmp(member_text(result, "place"), "packets") == 0
		       ? ", by the packet programs"
		       : ", for connections as they are accepted";
}

static void view_state(const json_t *result, const struct ctl_screen *screen, struct strbuf *out)
{
	bool is_ready = json_is_true(json_object_get(result, "syn_cookies_ready"));
	const char *problem = member_text(result, "places_problem");
	const char *place_problem = member_text(result, "place_problem");

	strbuf_printf(out, "mode          %s%s\n", member_text(result, "mode"),
		      describe_place(result));
	if (*place_problem)
		strbuf_printf(out, "              no packet programs: %s\n", place_problem);
	strbuf_printf(out,
		      "networks      %" JSON_INTEGER_FORMAT " of files, %" JSON_INTEGER_FORMAT
		      " by hand, %" JSON_INTEGER_FORMAT " of places; %" JSON_INTEGER_FORMAT
		      " bans\n",
		      (json_int_t)member_count(result, "networks_of_files"),
		      (json_int_t)member_count(result, "networks_by_hand"),
		      (json_int_t)member_count(result, "networks_of_places"),
		      (json_int_t)member_count(result, "bans"));
	if (*problem)
		strbuf_printf(out, "places        not those of the configuration: %s\n", problem);
	strbuf_printf(out,
		      "packets       %" JSON_INTEGER_FORMAT " seen, %" JSON_INTEGER_FORMAT
		      " allowed by a list\n",
		      (json_int_t)packets_of(result, "seen"),
		      (json_int_t)packets_of(result, "allowed"));
	strbuf_printf(out, "SYN cookies   %" JSON_INTEGER_FORMAT " sent; %s\n",
		      (json_int_t)packets_of(result, "cookies"),
		      is_ready ? "ready"
			       : "from the threshold on in mode dispatch alone "
				 "(net.ipv4.tcp_syncookies)");
	view_reasons(result, screen, out);
}

static void view_entries(const json_t *result, const struct ctl_screen *screen, struct strbuf *out)
{
	static const struct table_column columns[] = {
		{.title = "NETWORK"},
		{.title = "WHAT"},
		{.title = "LEFT", .is_right = true},
		{.title = "REASON", .is_shrinkable = true},
	};
	const json_t *row;
	struct table table;

	table_init(&table, columns, ARRAY_SIZE(columns));
	for (size_t i = 0; (row = member_element(result, "entries", i)); i++) {
		uint64_t left = member_count(row, "seconds_left");

		table_add(&table, TABLE_PLAIN, member_text(row, "network"));
		table_add(&table, TABLE_PLAIN, member_text(row, "what"));
		if (left)
			table_add_duration(&table, (double)left);
		else
			table_add(&table, TABLE_PLAIN, "-");
		table_add(&table, TABLE_PLAIN, member_text(row, "reason"));
	}
	table_render(&table, screen, 0, out);
	table_done(&table);
}

static void view_talkers(const json_t *result, const struct ctl_screen *screen, struct strbuf *out)
{
	static const struct table_column columns[] = {
		{.title = "SOURCE"},
		{.title = "PACKETS/S", .is_right = true},
		{.title = "REFUSED %", .is_right = true},
	};
	const json_t *row;
	struct table table;

	table_init(&table, columns, ARRAY_SIZE(columns));
	for (size_t i = 0; (row = member_element(result, "talkers", i)); i++) {
		table_add(&table, TABLE_PLAIN, member_text(row, "source"));
		table_add_count(&table, member_count(row, "packets_per_second"));
		table_add_count(&table, member_count(row, "refused_percent"));
	}
	table_render(&table, screen, 0, out);
	table_done(&table);
}

void view_guard(const json_t *result, const struct ctl_screen *screen, struct strbuf *out)
{
	if (json_object_get(result, "entries"))
		view_entries(result, screen, out);
	else if (json_object_get(result, "talkers"))
		view_talkers(result, screen, out);
	else if (json_object_get(result, "generation"))
		view_reload(result, screen, out);
	else
		view_state(result, screen, out);
}
