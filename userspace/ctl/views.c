// SPDX-License-Identifier: Apache-2.0
/* Results of the daemon as tables: one function a command. The members are in
 * docs/control-protocol.md. */
#include "ctl/ctl_internal.h"

#include <stdarg.h>

#define EXPIRES_SOON_S (14 * 86400)

const char *member_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

uint64_t member_count(const json_t *object, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(object, key));

	return value > 0 ? (uint64_t)value : 0;
}

double member_number(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

const json_t *member_element(const json_t *object, const char *key, size_t index)
{
	return json_array_get(json_object_get(object, key), index);
}

static void add_line(struct strbuf *out, const struct ctl_screen *screen, const char *label,
		     const char *text)
{
	strbuf_printf(out, "%s%-13s%s ", table_colour_begin(screen, TABLE_BOLD), label,
		      table_colour_end(screen, TABLE_BOLD));
	text_append_fitted(out, text, screen->width > 14 ? screen->width - 14 : SIZE_MAX);
	strbuf_append_str(out, "\n");
}

static void add_linef(struct strbuf *out, const struct ctl_screen *screen, const char *label,
		      const char *fmt, ...) PRINTF(4, 5);

static void add_linef(struct strbuf *out, const struct ctl_screen *screen, const char *label,
		      const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	add_line(out, screen, label, text);
}

/* "12 of 262144 pairs; eth0 xdp, lo tc" */
static void add_acceleration(struct strbuf *out, const struct ctl_screen *screen,
			     const json_t *acceleration)
{
	struct strbuf text = {0};
	const json_t *device;

	if (!acceleration)
		return;
	strbuf_printf(&text, "%s: ", member_text(acceleration, "mode"));
	if (json_is_true(json_object_get(acceleration, "available")))
		strbuf_printf(&text, "%u of %u pairs",
			      (unsigned)member_count(acceleration, "pairs"),
			      (unsigned)member_count(acceleration, "max_pairs"));
	else
		strbuf_printf(&text, "relay: %s", member_text(acceleration, "why"));
	for (size_t i = 0; (device = member_element(acceleration, "devices", i)); i++)
		strbuf_printf(&text, "%s %s %s", i ? "," : ";", member_text(device, "name"),
			      member_text(device, "hook"));
	add_line(out, screen, "acceleration", text.is_failed ? "" : text.text);
	strbuf_done(&text);
}

/* Nothing where nothing is. */
static void add_lost_lines(struct strbuf *out, const struct ctl_screen *screen, const json_t *lost)
{
	uint64_t access = member_count(lost, "access_log"), log = member_count(lost, "log");
	char access_text[TEXT_VALUE_SIZE], log_text[TEXT_VALUE_SIZE];

	if (access || log)
		add_linef(out, screen, "lines lost", "%s of the access log, %s of the log",
			  text_count(access, access_text), text_count(log, log_text));
}

/* "6 dispatch_lost, 2 over" */
static void add_untold(struct strbuf *out, const struct ctl_screen *screen, const json_t *untold)
{
	struct strbuf text = {0};
	char count[TEXT_VALUE_SIZE];
	const char *event;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)untold, event, value)
	{
		if (json_integer_value(value) > 0)
			strbuf_printf(&text, "%s%s %s", text.len ? ", " : "",
				      text_count((uint64_t)json_integer_value(value), count),
				      event);
	}
	if (text.len)
		add_line(out, screen, "events untold", text.is_failed ? "" : text.text);
	strbuf_done(&text);
}

void view_status(const json_t *result, const struct ctl_screen *screen, struct strbuf *out)
{
	const json_t *config = json_object_get(result, "config");
	const json_t *endpoints = json_object_get(result, "endpoints");
	const json_t *acceleration = json_object_get(result, "acceleration");
	char uptime[TEXT_VALUE_SIZE], active[TEXT_VALUE_SIZE], total[TEXT_VALUE_SIZE];

	add_linef(out, screen, "sluiced", "%s, pid %u, %s for %s", member_text(result, "version"),
		  (unsigned)member_count(result, "pid"), member_text(result, "state"),
		  text_duration(member_number(result, "uptime_seconds"), uptime));
	add_linef(out, screen, "engine", "%s, %u workers", member_text(result, "io_backend"),
		  (unsigned)member_count(result, "workers"));
	add_linef(out, screen, "configuration", "%s, generation %u, loaded %s, %u failed reloads",
		  member_text(config, "path"), (unsigned)member_count(config, "generation"),
		  member_text(config, "loaded_at"),
		  (unsigned)member_count(config, "reload_failures"));
	if (*member_text(config, "pending"))
		add_linef(out, screen, "not in force", "%s", member_text(config, "pending"));
	add_linef(out, screen, "connections", "%s open, %s in all",
		  text_count(member_count(result, "connections_active"), active),
		  text_count(member_count(result, "connections_total"), total));
	add_lost_lines(out, screen, json_object_get(result, "lines_lost"));
	add_acceleration(out, screen, acceleration);
	add_untold(out, screen, json_object_get(acceleration, "untold"));
	add_linef(out, screen, "listeners", "%u", (unsigned)member_count(result, "listeners"));
	add_linef(out, screen, "pools", "%u, with %u of %u endpoints available",
		  (unsigned)member_count(result, "pools"),
		  (unsigned)member_count(endpoints, "available"),
		  (unsigned)member_count(endpoints, "total"));
}

/* "0.0.0.0:80 +3" where a listener has four. */
static void add_binds(struct table *table, const json_t *binds)
{
	const char *first = json_string_value(json_array_get(binds, 0));
	size_t count = json_array_size(binds);
	struct strbuf text = {0};

	strbuf_append_str(&text, first ? first : "-");
	if (count > 1)
		strbuf_printf(&text, " +%zu", count - 1);
	table_add(table, TABLE_PLAIN, text.is_failed ? "" : text.text);
	strbuf_done(&text);
}

static void add_certificate(struct table *table, const char *listener, const json_t *row)
{
	double left = member_number(row, "expires_in_seconds");
	enum table_colour colour = left <= 0               ? TABLE_BAD
				   : left < EXPIRES_SOON_S ? TABLE_WARN
							   : TABLE_PLAIN;
	char text[TEXT_VALUE_SIZE];

	table_add(table, TABLE_BOLD, listener);
	table_add(table, TABLE_PLAIN, member_text(row, "file"));
	table_add(table, TABLE_PLAIN, member_text(row, "name"));
	table_add(table, TABLE_PLAIN, member_text(row, "key"));
	table_add(table, colour, left <= 0 ? "expired" : text_duration(left, text));
}

/* Nothing where no listener has TLS. */
static void view_certificates(const json_t *result, const struct ctl_screen *screen,
			      struct strbuf *out)
{
	static const struct table_column columns[] = {
		{.title = "LISTENER", .is_shrinkable = true},
		{.title = "CERTIFICATE", .is_shrinkable = true},
		{.title = "NAME", .is_shrinkable = true},
		{.title = "KEY"},
		{.title = "EXPIRES IN", .is_right = true},
	};
	const json_t *listener, *row;
	struct table table;
	size_t count = 0;

	table_init(&table, columns, ARRAY_SIZE(columns));
	for (size_t i = 0; (listener = member_element(result, "listeners", i)); i++) {
		const json_t *tls = json_object_get(listener, "tls");

		for (size_t j = 0; (row = member_element(tls, "certificates", j)); j++, count++)
			add_certificate(&table, member_text(listener, "name"), row);
	}
	if (count > 0) {
		strbuf_append_str(out, "\n");
		table_render(&table, screen, 0, out);
	}
	table_done(&table);
}

static double sum_of_members(const json_t *object)
{
	const char *key;
	json_t *value;
	double sum = 0;

	json_object_foreach((json_t *)(uintptr_t)object, key, value)
		sum += json_number_value(value);
	return sum;
}

/* The same for handshakes. */
static void view_handshakes(const json_t *result, const struct ctl_screen *screen,
			    struct strbuf *out)
{
	static const struct table_column columns[] = {
		{.title = "LISTENER", .is_shrinkable = true},
		{.title = "FULL HANDSHAKES", .is_right = true},
		{.title = "RESUMED", .is_right = true},
		{.title = "KERNEL", .is_right = true},
		{.title = "FAILED", .is_right = true},
	};
	const json_t *listener, *tls;
	struct table table;
	size_t count = 0;

	table_init(&table, columns, ARRAY_SIZE(columns));
	for (size_t i = 0; (listener = member_element(result, "listeners", i)); i++) {
		tls = json_object_get(listener, "tls");
		if (!tls)
			continue;
		table_add(&table, TABLE_BOLD, member_text(listener, "name"));
		table_add_count(&table, member_count(tls, "full"));
		table_add_count(&table, member_count(tls, "resumed"));
		table_add_count(&table, member_count(tls, "kernel"));
		table_add_count(&table, (uint64_t)sum_of_members(json_object_get(tls, "failed")));
		count++;
	}
	if (count > 0) {
		strbuf_append_str(out, "\n");
		table_render(&table, screen, 0, out);
	}
	table_done(&table);
}

void view_listeners(const json_t *result, const struct ctl_screen *screen, struct strbuf *out)
{
	static const struct table_column columns[] = {
		{.title = "LISTENER", .is_shrinkable = true},
		{.title = "BIND", .is_shrinkable = true},
		{.title = "MODE"},
		{.title = "ACTIVE", .is_right = true},
		{.title = "ACCEPTED", .is_right = true},
		{.title = "REFUSED", .is_right = true},
		{.title = "IN", .is_right = true},
		{.title = "OUT", .is_right = true},
		{.title = "P50", .is_right = true},
		{.title = "P99", .is_right = true},
	};
	struct table table;
	const json_t *row;

	table_init(&table, columns, ARRAY_SIZE(columns));
	for (size_t i = 0; (row = member_element(result, "listeners", i)); i++) {
		const json_t *session = json_object_get(row, "session_seconds");

		table_add(&table, TABLE_BOLD, member_text(row, "name"));
		add_binds(&table, json_object_get(row, "binds"));
		table_add(&table, TABLE_PLAIN, member_text(row, "mode"));
		table_add_count(&table, member_count(row, "active"));
		table_add_count(&table, member_count(row, "accepted"));
		table_add_count(&table, member_count(row, "refused"));
		table_add_bytes(&table, member_count(row, "bytes_in"));
		table_add_bytes(&table, member_count(row, "bytes_out"));
		table_add_duration(&table, member_number(session, "p50"));
		table_add_duration(&table, member_number(session, "p99"));
	}
	table_render(&table, screen, 0, out);
	table_done(&table);
	view_handshakes(result, screen, out);
	view_certificates(result, screen, out);
}

const char *view_endpoint_state(const json_t *endpoint, char ret[TEXT_VALUE_SIZE],
				enum table_colour *ret_colour)
{
	const char *admin = member_text(endpoint, "admin"),
		   *health = member_text(endpoint, "health");
	double ejected = member_number(endpoint, "ejected_seconds");
	char rest[TEXT_VALUE_SIZE];

	*ret_colour = TABLE_WARN;
	if (strcmp(admin, "ready") != 0) {
		snprintf(ret, TEXT_VALUE_SIZE, "%s", admin);
	} else if (strcmp(health, "down") == 0) {
		*ret_colour = TABLE_BAD;
		snprintf(ret, TEXT_VALUE_SIZE, "down");
	} else if (ejected > 0) {
		*ret_colour = TABLE_BAD;
		text_duration((double)(uint64_t)(ejected + 1), rest);
		snprintf(ret, TEXT_VALUE_SIZE, "ejected %.*s", 15, rest);
	} else {
		*ret_colour = strcmp(health, "up") == 0 ? TABLE_GOOD : TABLE_PLAIN;
		snprintf(ret, TEXT_VALUE_SIZE, "%s",
			 *ret_colour == TABLE_GOOD ? "up" : "unchecked");
	}
	return ret;
}

static uint64_t sum_of(const json_t *endpoints, const char *key)
{
	const json_t *endpoint;
	uint64_t sum = 0;

	for (size_t i = 0; (endpoint = json_array_get(endpoints, i)); i++)
		sum += member_count(endpoint, key);
	return sum;
}

static void add_pool(struct table *table, const json_t *pool)
{
	const json_t *endpoints = json_object_get(pool, "endpoints"), *endpoint;
	size_t available = 0, total = json_array_size(endpoints);
	char text[TEXT_VALUE_SIZE];

	for (size_t i = 0; (endpoint = json_array_get(endpoints, i)); i++)
		available += json_is_true(json_object_get(endpoint, "available"));
	table_add(table, TABLE_BOLD, member_text(pool, "name"));
	table_add(table, TABLE_DIM, member_text(pool, "balance"));
	snprintf(text, sizeof(text), "%zu/%zu", available, total);
	table_add(table,
		  available == total ? TABLE_GOOD
		  : available        ? TABLE_WARN
				     : TABLE_BAD,
		  text);
	table_add(table, TABLE_PLAIN, "");
	table_add_count(table, sum_of(endpoints, "active"));
	table_add_count(table, member_count(pool, "waiting"));
	table_add_count(table, sum_of(endpoints, "connections"));
	table_add_count(table, member_count(pool, "connect_failures"));
	table_add_count(table, sum_of(endpoints, "resets"));
	table_add_bytes(table, sum_of(endpoints, "bytes_in"));
	table_add_bytes(table, sum_of(endpoints, "bytes_out"));
	table_add_duration(table, member_number(json_object_get(pool, "connect_seconds"), "p50"));
}

/* The name, and where it leads if that is not the same. */
static void add_endpoint_name(struct table *table, const json_t *endpoint)
{
	const char *name = member_text(endpoint, "name"),
		   *address = member_text(endpoint, "address");
	struct strbuf text = {0};

	strbuf_printf(&text, strcmp(name, address) == 0 ? "%s" : "%s (%s)", name, address);
	table_add(table, TABLE_PLAIN, text.is_failed ? name : text.text);
	strbuf_done(&text);
}

static void add_endpoint(struct table *table, const json_t *endpoint)
{
	char state[TEXT_VALUE_SIZE];
	enum table_colour colour;

	table_add(table, TABLE_PLAIN, "");
	add_endpoint_name(table, endpoint);
	view_endpoint_state(endpoint, state, &colour);
	table_add(table, colour, state);
	table_add_count(table, member_count(endpoint, "weight"));
	table_add_count(table, member_count(endpoint, "active"));
	table_add(table, TABLE_PLAIN, "");
	table_add_count(table, member_count(endpoint, "connections"));
	table_add_count(table, member_count(endpoint, "connect_failures"));
	table_add_count(table, member_count(endpoint, "resets"));
	table_add_bytes(table, member_count(endpoint, "bytes_in"));
	table_add_bytes(table, member_count(endpoint, "bytes_out"));
	table_add_duration(table, member_number(endpoint, "latency_seconds"));
}

void view_pools(const json_t *result, const struct ctl_screen *screen, struct strbuf *out)
{
	static const struct table_column columns[] = {
		{.title = "POOL", .is_shrinkable = true},
		{.title = "ENDPOINT", .is_shrinkable = true},
		{.title = "STATE"},
		{.title = "WEIGHT", .is_right = true},
		{.title = "ACTIVE", .is_right = true},
		{.title = "WAITING", .is_right = true},
		{.title = "TOTAL", .is_right = true},
		{.title = "FAILED", .is_right = true},
		{.title = "RESET", .is_right = true},
		{.title = "IN", .is_right = true},
		{.title = "OUT", .is_right = true},
		{.title = "TIME", .is_right = true},
	};
	const json_t *pool, *endpoint;
	struct table table;

	table_init(&table, columns, ARRAY_SIZE(columns));
	for (size_t i = 0; (pool = member_element(result, "pools", i)); i++) {
		add_pool(&table, pool);
		for (size_t j = 0; (endpoint = member_element(pool, "endpoints", j)); j++)
			add_endpoint(&table, endpoint);
	}
	table_render(&table, screen, 0, out);
	table_done(&table);
	view_mirrors(result, screen, out);
}

static void add_or_dash(struct table *table, const char *text)
{
	table_add(table, TABLE_PLAIN, *text ? text : "-");
}

static void add_tls(struct table *table, const json_t *row)
{
	char text[TEXT_VALUE_SIZE];

	snprintf(text, sizeof(text), "%s%s%s", member_text(row, "tls_version"),
		 json_is_true(json_object_get(row, "tls_resumed")) ? " resumed" : "",
		 json_is_true(json_object_get(row, "tls_kernel")) ? " kernel" : "");
	add_or_dash(table, text);
	add_or_dash(table, member_text(row, "tls_cipher"));
}

void view_connections(const json_t *result, const struct ctl_screen *screen, struct strbuf *out)
{
	static const struct table_column columns[] = {
		{.title = "ID", .is_right = true},
		{.title = "CLIENT", .is_shrinkable = true},
		{.title = "LISTENER", .is_shrinkable = true},
		{.title = "ENDPOINT", .is_shrinkable = true},
		{.title = "STATE"},
		{.title = "RUNG"},
		{.title = "AGE", .is_right = true},
		{.title = "IDLE", .is_right = true},
		{.title = "IN", .is_right = true},
		{.title = "OUT", .is_right = true},
		{.title = "TLS"},
		{.title = "CIPHER", .is_shrinkable = true},
		{.title = "SNI", .is_shrinkable = true},
		{.title = "CLIENT CERTIFICATE", .is_shrinkable = true},
	};
	const json_t *rows = json_object_get(result, "connections"), *row;
	struct table table;
	char id[TEXT_VALUE_SIZE];

	table_init(&table, columns, ARRAY_SIZE(columns));
	for (size_t i = 0; (row = json_array_get(rows, i)); i++) {
		snprintf(id, sizeof(id), "%llu", (unsigned long long)member_count(row, "id"));
		table_add(&table, TABLE_DIM, id);
		table_add(&table, TABLE_PLAIN, member_text(row, "client"));
		table_add(&table, TABLE_PLAIN, member_text(row, "listener"));
		add_or_dash(&table, member_text(row, "endpoint"));
		table_add(&table, TABLE_PLAIN, member_text(row, "state"));
		table_add(&table, TABLE_PLAIN, member_text(row, "rung"));
		table_add_duration(&table, member_number(row, "age_seconds"));
		table_add_duration(&table, member_number(row, "idle_seconds"));
		table_add_bytes(&table, member_count(row, "bytes_in"));
		table_add_bytes(&table, member_count(row, "bytes_out"));
		add_tls(&table, row);
		add_or_dash(&table, member_text(row, "sni"));
		add_or_dash(&table, member_text(row, "tls_client"));
	}
	table_render(&table, screen, 0, out);
	table_done(&table);
	if (json_array_size(rows) < member_count(result, "total"))
		strbuf_printf(out, "%zu of %llu open connections shown\n", json_array_size(rows),
			      (unsigned long long)member_count(result, "total"));
}

void view_endpoint(const json_t *result, const struct ctl_screen *screen, struct strbuf *out)
{
	const json_t *endpoint;

	for (size_t i = 0; (endpoint = member_element(result, "endpoints", i)); i++) {
		char state[TEXT_VALUE_SIZE];
		enum table_colour colour;

		view_endpoint_state(endpoint, state, &colour);
		strbuf_printf(out, "%s %s: %s%s%s, weight %u, %u active\n",
			      member_text(result, "pool"), member_text(endpoint, "address"),
			      table_colour_begin(screen, colour), state,
			      table_colour_end(screen, colour),
			      (unsigned)member_count(endpoint, "weight"),
			      (unsigned)member_count(endpoint, "active"));
	}
}

void view_reload(const json_t *result, const struct ctl_screen *screen, struct strbuf *out)
{
	strbuf_printf(out, "configuration loaded, generation %u\n",
		      (unsigned)member_count(result, "generation"));
	strbuf_printf(out, "%s%s%s", table_colour_begin(screen, TABLE_WARN),
		      member_text(result, "warnings"), table_colour_end(screen, TABLE_WARN));
	if (*member_text(result, "pending"))
		strbuf_printf(out, "not in force yet: %s\n", member_text(result, "pending"));
}

void view_metrics(const json_t *result, const struct ctl_screen *screen, struct strbuf *out)
{
	(void)screen;
	strbuf_append_str(out, member_text(result, "text"));
}

void view_version(const json_t *result, const struct ctl_screen *screen, struct strbuf *out)
{
	(void)screen;
	strbuf_printf(out, "sluiced   %s (control protocol %u)\nsluicectl %s\n",
		      member_text(result, "version"), (unsigned)member_count(result, "protocol"),
		      SLUICE_VERSION);
}
