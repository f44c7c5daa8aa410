// SPDX-License-Identifier: Apache-2.0
/* `sluicectl flows`: the one command that asks the kernel, not the daemon, which may be dead. */
#include "fastpath/flows.h"
#include "ctl/ctl_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* --- The result, as --json prints it ------------------------------------------------------------
 */

static json_t *address_json(const struct address *address)
{
	char text[ADDRESS_TEXT_SIZE];

	return json_string(address_format(address, text));
}

/* What its sender has said of its end, as far as it went through. */
static const char *said(const struct flow_way *way)
{
	if (way->has_reset)
		return "rst";
	if (way->has_fin)
		return way->is_fin_acknowledged ? "fin_acked" : "fin";
	return "";
}

static json_t *way_json(const struct flow_way *way)
{
	return json_pack("{s:I, s:I, s:I, s:s}", "bytes", (json_int_t)way->bytes, "relayed_bytes",
			 (json_int_t)way->relayed, "packets", (json_int_t)way->packets, "said",
			 said(way));
}

static void add_row(const struct flow_row *row, void *context)
{
	json_t *flow = json_pack("{s:I, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:f, s:f}", "id",
				 (json_int_t)row->id, "state", row->state, "client",
				 address_json(&row->client), "front", address_json(&row->front),
				 "via", address_json(&row->via), "backend",
				 address_json(&row->backend), "up", way_json(&row->up), "down",
				 way_json(&row->down), "age_seconds", (double)row->age_ms / 1000,
				 "idle_seconds", (double)row->idle_ms / 1000);

	json_array_append_new(context, flow);
}

static json_t *verdicts_json(const struct flows_facts *facts)
{
	json_t *verdicts = json_object();

	for (int i = 0; i < FLOW_VERDICT_COUNT; i++)
		json_object_set_new(verdicts, flow_verdict_name((enum flow_verdict)i),
				    json_integer((json_int_t)facts->verdicts[i]));
	return verdicts;
}

static json_t *result_of(const struct flows *flows, const char *instance)
{
	json_t *rows = json_array();
	struct flows_facts facts;

	flows_describe(flows, &facts);
	flows_for_each(flows, add_row, rows);
	return json_pack("{s:s, s:b, s:I, s:I, s:o, s:o}", "instance", instance, "daemon",
			 facts.has_daemon, "abi_version", (json_int_t)facts.abi_version,
			 "max_flows", (json_int_t)facts.max_flows, "flows", rows, "verdicts",
			 verdicts_json(&facts));
}

/* --- The tables ---------------------------------------------------------------------------------
 */

static void add_said(struct table *table, const json_t *way)
{
	const char *text = member_text(way, "said");

	table_add(table, *text == 'r' ? TABLE_WARN : TABLE_PLAIN, *text ? text : "-");
}

static void add_flow(struct table *table, const json_t *flow)
{
	const json_t *up = json_object_get(flow, "up"), *down = json_object_get(flow, "down");

	table_add(table, TABLE_PLAIN, member_text(flow, "client"));
	table_add(table, TABLE_PLAIN, member_text(flow, "front"));
	table_add(table, TABLE_PLAIN, member_text(flow, "via"));
	table_add(table, TABLE_PLAIN, member_text(flow, "backend"));
	table_add(table, TABLE_PLAIN, member_text(flow, "state"));
	table_add_duration(table, member_number(flow, "age_seconds"));
	table_add_duration(table, member_number(flow, "idle_seconds"));
	table_add_bytes(table, member_count(up, "bytes"));
	table_add_bytes(table, member_count(down, "bytes"));
	table_add_count(table, member_count(up, "packets"));
	table_add_count(table, member_count(down, "packets"));
	add_said(table, up);
	add_said(table, down);
}

void view_flows(const json_t *result, const struct ctl_screen *screen, struct strbuf *out)
{
	static const struct table_column columns[] = {
		{.title = "CLIENT", .is_shrinkable = true},
		{.title = "TO", .is_shrinkable = true},
		{.title = "FROM", .is_shrinkable = true},
		{.title = "BACKEND", .is_shrinkable = true},
		{.title = "STATE"},
		{.title = "AGE", .is_right = true},
		{.title = "IDLE", .is_right = true},
		{.title = "IN", .is_right = true},
		{.title = "OUT", .is_right = true},
		{.title = "PKTS IN", .is_right = true},
		{.title = "PKTS OUT", .is_right = true},
		{.title = "CLIENT SAID"},
		{.title = "BACKEND SAID"},
	};
	const json_t *flow;
	struct table table;

	table_init(&table, columns, ARRAY_SIZE(columns));
	for (size_t i = 0; (flow = member_element(result, "flows", i)); i++)
		add_flow(&table, flow);
	table_render(&table, screen, 0, out);
	table_done(&table);
	strbuf_printf(out, "instance %s: %zu of at most %" PRIu64 " connections, %s\n",
		      member_text(result, "instance"),
		      json_array_size(json_object_get(result, "flows")),
		      member_count(result, "max_flows"),
		      json_is_true(json_object_get(result, "daemon")) ? "followed by a daemon"
								      : "no daemon follows them");
}

void view_verdicts(const json_t *result, const struct ctl_screen *screen, struct strbuf *out)
{
	static const struct table_column columns[] = {
		{.title = "VERDICT"},
		{.title = "PACKETS", .is_right = true},
	};
	json_t *verdicts = json_object_get(result, "verdicts"), *count;
	struct table table;
	const char *name;

	table_init(&table, columns, ARRAY_SIZE(columns));
	json_object_foreach(verdicts, name, count)
	{
		table_add(&table, TABLE_PLAIN, name);
		table_add_count(&table, (uint64_t)json_integer_value(count));
	}
	table_render(&table, screen, 0, out);
	table_done(&table);
}

/* --- The command --------------------------------------------------------------------------------
 */

static int fail(const struct ctl_options *options, const char *directory, int error,
		const struct ctl_screen *screen)
{
	const char *what = strerror(-error);

	if (error == -ENOENT)
		what = "nothing is pinned there";
	else if (error == -EPROTO)
		what = "its tables are of another version of Sluice; --discard ends what they have";
	else if (error == -EBUSY)
		what = "a daemon follows them: stop it first (on_stop: reset ends them by itself)";
	else if (error == -EXDEV)
		what = "its connections are in another network namespace";
	fprintf(screen->err, "sluicectl: instance %s, %s: %s\n", options->instance, directory,
		what);
	return CTL_EXIT_FAILED;
}

static int discard(const struct ctl_options *options, const char *directory,
		   const struct ctl_screen *screen)
{
	uint32_t count = 0;
	int err = flows_discard(directory, &count);

	if (err)
		return fail(options, directory, err, screen);
	if (options->is_json)
		fprintf(screen->out, "{\"instance\": \"%s\", \"ended\": %" PRIu32 "}\n",
			options->instance, count);
	else
		fprintf(screen->out,
			"instance %s: %" PRIu32 " connections ended, nothing is left\n",
			options->instance, count);
	return CTL_EXIT_OK;
}

static void print(const struct ctl_options *options, const json_t *result,
		  const struct ctl_screen *screen)
{
	struct strbuf text = {0};

	if (options->is_json) {
		json_dumpf(result, screen->out, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
		fputc('\n', screen->out);
		return;
	}
	if (options->wants_verdicts)
		view_verdicts(result, screen, &text);
	else
		view_flows(result, screen, &text);
	if (text.len)
		fwrite(text.text, 1, text.len, screen->out);
	strbuf_done(&text);
}

int flows_run(const struct ctl_options *options, const struct ctl_screen *screen)
{
	char directory[PATH_MAX];
	struct flows *flows;
	json_t *result;
	int err;

	snprintf(directory, sizeof(directory), "%s/%s", options->pin_path, options->instance);
	if (options->wants_discard)
		return discard(options, directory, screen);
	err = flows_open(directory, &flows);
	if (err)
		return fail(options, directory, err, screen);
	result = result_of(flows, options->instance);
	flows_close(flows);
	print(options, result, screen);
	json_decref(result);
	return CTL_EXIT_OK;
}
