// SPDX-License-Identifier: Apache-2.0
/* From a command line to an exit code: one request, one answer, one view. `top` and
 * `flows` go their own ways. */
#include "ctl/ctl_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static view_fn *const views[CTL_COMMAND_COUNT] = {
	[CTL_COMMAND_STATUS] = view_status,     [CTL_COMMAND_LISTENERS] = view_listeners,
	[CTL_COMMAND_POOLS] = view_pools,       [CTL_COMMAND_CONNECTIONS] = view_connections,
	[CTL_COMMAND_ENDPOINT] = view_endpoint, [CTL_COMMAND_RELOAD] = view_reload,
	[CTL_COMMAND_METRICS] = view_metrics,   [CTL_COMMAND_VERSION] = view_version,
	[CTL_COMMAND_GUARD] = view_guard,       [CTL_COMMAND_SERVICES] = view_services,
	[CTL_COMMAND_GEO] = view_geo,
};

static void set_text(json_t *request, const char *key, const char *text)
{
	if (text)
		json_object_set_new(request, key, json_string(text));
}

static void set_addresses(json_t *request, const struct ctl_options *options)
{
	json_t *list = options->naddresses ? json_array() : NULL;

	for (size_t i = 0; i < options->naddresses; i++)
		json_array_append_new(list, json_string(options->addresses[i]));
	if (list)
		json_object_set_new(request, "addresses", list);
}

static bool is_guard_reload(const struct ctl_options *options)
{
	return options->command == CTL_COMMAND_GUARD && strcmp(options->action, "reload") == 0;
}

static json_t *request_of(const struct ctl_options *options)
{
	bool is_reload = is_guard_reload(options);
	json_t *request = json_pack(
		"{s:s}", "command",
		command_name(is_reload ? CTL_COMMAND_RELOAD : options->command));

	if (is_reload)
		return request;

	set_text(request, "listener", options->listener);
	set_text(request, "pool", options->pool);
	set_text(request, "endpoint", options->endpoint);
	set_text(request, "state", options->state);
	set_text(request, "action", options->action);
	set_text(request, "network", options->network);
	set_text(request, "reason", options->reason);
	set_text(request, "mode", options->mode);
	set_addresses(request, options);
	if (options->seconds)
		json_object_set_new(request, "seconds", json_integer(options->seconds));
	if (options->limit)
		json_object_set_new(request, "limit", json_integer(options->limit));
	if (options->action && strcmp(options->action, "weight") == 0)
		json_object_set_new(request, "weight", json_integer(options->weight));
	return request;
}

static void print_json(const json_t *result, FILE *out)
{
	/* 15 digits are what a double holds for sure: 1.608, not 1.6080000000000001 */
	json_dumpf(result, out, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
	fputc('\n', out);
}

static void print_view(const struct ctl_options *options, const json_t *result,
		       const struct ctl_screen *screen)
{
	struct strbuf text = {0};

	views[options->command](result, screen, &text);
	if (text.len)
		fwrite(text.text, 1, text.len, screen->out);
	strbuf_done(&text);
}

static int fail(const struct ctl_options *options, int error, const struct strbuf *daemon_error,
		const struct ctl_screen *screen)
{
	struct strbuf text = {0};
	int status = CTL_EXIT_UNREACHABLE;

	if (error == -EREMOTEIO) {
		strbuf_append_str(&text, daemon_error->text ? daemon_error->text : "refused");
		status = CTL_EXIT_FAILED;
	} else {
		client_explain(options->socket, error, &text);
	}
	fprintf(screen->err, "sluicectl: %s\n", text.text ? text.text : "out of memory");
	strbuf_done(&text);
	return status;
}

static int ask(const struct ctl_options *options, const struct ctl_screen *screen)
{
	struct client client = {.fd = -1};
	struct strbuf error = {0};
	json_t *request = request_of(options), *result = NULL;
	int status = CTL_EXIT_OK;
	int r = client_open(options->socket, options->timeout_ms, &client);

	if (r == 0)
		r = client_call(&client, request, &result, &error);
	if (r < 0)
		status = fail(options, r, &error, screen);
	else if (options->is_json)
		print_json(result, screen->out);
	else
		print_view(options, result, screen);
	json_decref(result);
	json_decref(request);
	strbuf_done(&error);
	client_close(&client);
	return status;
}

static int usage_error(const struct strbuf *error, const struct ctl_screen *screen)
{
	fprintf(screen->err, "sluicectl: %s\nTry 'sluicectl --help'.\n",
		error->text ? error->text : "out of memory");
	return CTL_EXIT_USAGE;
}

int ctl_run(int argc, char **argv, struct ctl_screen *screen)
{
	struct ctl_options options;
	struct strbuf error = {0};
	int status;

	if (options_parse(argc, argv, &options, &error) < 0) {
		status = usage_error(&error, screen);
		strbuf_done(&error);
		return status;
	}
	if (options.no_colour)
		screen->has_colour = false;
	if (options.wants_version) {
		fprintf(screen->out, "sluicectl %s\n", SLUICE_VERSION);
		return CTL_EXIT_OK;
	}
	if (options.wants_help) {
		if (options.has_command)
			help_command(screen->out, options.command);
		else
			help_program(screen->out);
		return CTL_EXIT_OK;
	}
	if (options.command == CTL_COMMAND_FLOWS)
		return flows_run(&options, screen);
	if (options.command == CTL_COMMAND_TOP)
		return top_run(&options, screen);
	if (options.command == CTL_COMMAND_CAPTURE)
		return capture_run(&options, screen);
	if (options.command == CTL_COMMAND_DOCTOR)
		return doctor_run(&options, screen);
	return ask(&options, screen);
}
