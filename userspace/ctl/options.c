// SPDX-License-Identifier: Apache-2.0
/* sluicectl's command line: options may stand before or after the command, as GNU programs allow.
 */
#include "ctl/ctl_internal.h"
#include "proxy/inspect.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

/* Options that only some commands take. */
#define FILTERS (1u << CTL_COMMAND_CONNECTIONS)
#define COUNT   (1u << CTL_COMMAND_TOP)
#define CAPTURE (1u << CTL_COMMAND_CAPTURE)
#define KERNEL  (1u << CTL_COMMAND_FLOWS)

static const char *const names[CTL_COMMAND_COUNT] = {
	[CTL_COMMAND_STATUS] = "status",     [CTL_COMMAND_LISTENERS] = "listeners",
	[CTL_COMMAND_POOLS] = "pools",       [CTL_COMMAND_CONNECTIONS] = "connections",
	[CTL_COMMAND_ENDPOINT] = "endpoint", [CTL_COMMAND_RELOAD] = "reload",
	[CTL_COMMAND_TOP] = "top",           [CTL_COMMAND_METRICS] = "metrics",
	[CTL_COMMAND_DOCTOR] = "doctor",     [CTL_COMMAND_VERSION] = "version",
	[CTL_COMMAND_FLOWS] = "flows",       [CTL_COMMAND_GUARD] = "guard",
	[CTL_COMMAND_CAPTURE] = "capture",   [CTL_COMMAND_SERVICES] = "services",
	[CTL_COMMAND_GEO] = "geo",
};

enum {
	OPTION_JSON = 256,
	OPTION_NO_COLOUR,
	OPTION_TIMEOUT,
	OPTION_LIMIT,
	OPTION_LISTENER,
	OPTION_POOL,
	OPTION_ENDPOINT,
	OPTION_STATE,
	OPTION_INSTANCE,
	OPTION_PIN_PATH,
	OPTION_VERDICTS,
	OPTION_DISCARD,
	OPTION_SECONDS,
	OPTION_OUTPUT,
};

#define SHORT_OPTIONS ":s:n:hV"

static const struct option long_options[] = {
	{"socket", required_argument, NULL, 's'},
	{"json", no_argument, NULL, OPTION_JSON},
	{"no-color", no_argument, NULL, OPTION_NO_COLOUR},
	{"timeout", required_argument, NULL, OPTION_TIMEOUT},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{"snapshots", required_argument, NULL, 'n'},
	{"limit", required_argument, NULL, OPTION_LIMIT},
	{"listener", required_argument, NULL, OPTION_LISTENER},
	{"pool", required_argument, NULL, OPTION_POOL},
	{"endpoint", required_argument, NULL, OPTION_ENDPOINT},
	{"state", required_argument, NULL, OPTION_STATE},
	{"instance", required_argument, NULL, OPTION_INSTANCE},
	{"pin-path", required_argument, NULL, OPTION_PIN_PATH},
	{"verdicts", no_argument, NULL, OPTION_VERDICTS},
	{"discard", no_argument, NULL, OPTION_DISCARD},
	{"seconds", required_argument, NULL, OPTION_SECONDS},
	{"output", required_argument, NULL, OPTION_OUTPUT},
	{NULL, 0, NULL, 0},
};

/* What has been read so far, beside the result itself. */
struct parse {
	struct ctl_options *options;
	struct strbuf *error;
	unsigned commands;      /* bits of those that take every option seen */
	const char *restricted; /* the last option that not every command takes */
};

const char *command_name(enum ctl_command command)
{
	return names[command];
}

static int parse_number(const char *text, uint32_t min, uint32_t max, uint32_t *ret)
{
	char *end;
	unsigned long value;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *end || value < min || value > max)
		return -EINVAL;
	*ret = (uint32_t)value;
	return 0;
}

static int reject(struct parse *parse, const char *what, const char *got, const char *expected)
{
	strbuf_printf(parse->error, "%s: '%s' is not %s", what, got, expected);
	return -EINVAL;
}

/* A letter may stand among others, in an argument that has not been left behind yet. */
static int reject_option(struct parse *parse, char **argv)
{
	if (optopt && optopt < OPTION_JSON && !strchr(SHORT_OPTIONS, optopt))
		strbuf_printf(parse->error, "unknown option '-%c'", optopt);
	else
		strbuf_printf(parse->error, "unknown option '%s'", argv[optind - 1]);
	return -EINVAL;
}

static void restrict_to(struct parse *parse, unsigned commands, const char *option)
{
	parse->commands &= commands;
	parse->restricted = option;
}

/* The daemon would refuse it too, but a slip of the keyboard is wrong usage, not its refusal. */
static int on_state(struct parse *parse)
{
	static const char *const states[] = {
#define X(name, text) text,
		CONNECTION_STATES(X)
#undef X
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(states); i++)
		if (strcmp(states[i], optarg) == 0) {
			parse->options->state = optarg;
			return 0;
		}
	strbuf_printf(parse->error, "--state: '%s' is not one of ", optarg);
	for (i = 0; i < ARRAY_SIZE(states); i++)
		strbuf_printf(parse->error, "%s%s", i ? ", " : "", states[i]);
	return -EINVAL;
}

static int on_filter(struct parse *parse, int option)
{
	struct ctl_options *options = parse->options;

	if (option == OPTION_LIMIT)
		restrict_to(parse, FILTERS | CAPTURE, "--limit");
	else
		restrict_to(parse, FILTERS, "--listener, --pool, --endpoint or --state");
	if (option == OPTION_LIMIT && parse_number(optarg, 1, 65536, &options->limit) < 0)
		return reject(parse, "--limit", optarg, "a number from 1 to 65536");
	if (option == OPTION_LISTENER)
		options->listener = optarg;
	else if (option == OPTION_POOL)
		options->pool = optarg;
	else if (option == OPTION_ENDPOINT)
		options->endpoint = optarg;
	else if (option == OPTION_STATE)
		return on_state(parse);
	return 0;
}

/* A name becomes a part of a path. */
static int on_instance(struct parse *parse)
{
	if (!*optarg || *optarg == '.' || strchr(optarg, '/') || strlen(optarg) > 64)
		return reject(parse, "--instance", optarg, "the name of an instance");
	parse->options->instance = optarg;
	return 0;
}

static int on_kernel_option(struct parse *parse, int option)
{
	struct ctl_options *options = parse->options;

	restrict_to(parse, KERNEL, "--instance, --pin-path, --verdicts or --discard");
	if (option == OPTION_INSTANCE)
		return on_instance(parse);
	if (option == OPTION_PIN_PATH)
		options->pin_path = optarg;
	options->wants_verdicts |= option == OPTION_VERDICTS;
	options->wants_discard |= option == OPTION_DISCARD;
	return 0;
}

static int on_capture_option(struct parse *parse, int option)
{
	restrict_to(parse, CAPTURE, "--seconds or --output");
	if (option == OPTION_OUTPUT)
		parse->options->output = optarg;
	else if (parse_number(optarg, 1, 3600, &parse->options->seconds) < 0)
		return reject(parse, "--seconds", optarg, "a number from 1 to 3600");
	return 0;
}

static int on_option(struct parse *parse, int option, char **argv)
{
	struct ctl_options *options = parse->options;

	switch (option) {
	case 's':
		options->socket = optarg;
		return 0;
	case OPTION_JSON:
		options->is_json = true;
		return 0;
	case OPTION_NO_COLOUR:
		options->no_colour = true;
		return 0;
	case OPTION_TIMEOUT:
		if (text_parse_duration(optarg, &options->timeout_ms) < 0)
			return reject(parse, "--timeout", optarg, "a duration such as 5s or 500ms");
		return 0;
	case 'h':
		options->wants_help = true;
		return 0;
	case 'V':
		options->wants_version = true;
		return 0;
	case 'n':
		restrict_to(parse, COUNT, "-n");
		if (parse_number(optarg, 1, 1000000, &options->snapshots) < 0)
			return reject(parse, "-n", optarg, "a number from 1 to 1000000");
		return 0;
	case OPTION_INSTANCE:
	case OPTION_PIN_PATH:
	case OPTION_VERDICTS:
	case OPTION_DISCARD:
		return on_kernel_option(parse, option);
	case OPTION_SECONDS:
	case OPTION_OUTPUT:
		return on_capture_option(parse, option);
	case ':':
		strbuf_printf(parse->error, "%s needs a value", argv[optind - 1]);
		return -EINVAL;
	case '?':
		return reject_option(parse, argv);
	default:
		return on_filter(parse, option);
	}
}

static int read_command(struct parse *parse, const char *name)
{
	for (size_t i = 0; i < CTL_COMMAND_COUNT; i++) {
		if (strcmp(names[i], name) != 0)
			continue;
		parse->options->command = (enum ctl_command)i;
		parse->options->has_command = true;
		return 0;
	}
	strbuf_printf(parse->error, "unknown command '%s'", name);
	return -EINVAL;
}

/* endpoint POOL ADDRESS ready|drain|maint, or weight N */
static int read_endpoint_arguments(struct parse *parse, char **arguments, int count)
{
	struct ctl_options *options = parse->options;
	bool is_weight = count >= 3 && strcmp(arguments[2], "weight") == 0;

	if (count != (is_weight ? 4 : 3)) {
		strbuf_append_str(parse->error,
				  "endpoint takes: POOL ADDRESS ready|drain|maint|weight N");
		return -EINVAL;
	}
	options->pool = arguments[0];
	options->endpoint = arguments[1];
	options->action = arguments[2];
	if (is_weight)
		return parse_number(arguments[3], 0, 256, &options->weight) < 0
			       ? reject(parse, "weight", arguments[3], "a number from 0 to 256")
			       : 0;
	if (strcmp(options->action, "ready") != 0 && strcmp(options->action, "drain") != 0 &&
	    strcmp(options->action, "maint") != 0)
		return reject(parse, "endpoint", options->action, "ready, drain, maint or weight");
	return 0;
}

/* top [PANEL] */
static int read_top_arguments(struct parse *parse, char **arguments, int count)
{
	if (count > 1) {
		strbuf_printf(parse->error, "top takes no '%s'", arguments[1]);
		return -EINVAL;
	}
	if (count == 1 && !top_panel_find(arguments[0], &parse->options->panel))
		return reject(parse, "top", arguments[0],
			      "pools, listeners, connections, services or guard");
	return 0;
}

static int read_arguments(struct parse *parse, char **arguments, int count)
{
	struct ctl_options *options = parse->options;

	if (options->wants_version || (options->wants_help && count == 0))
		return 0;
	if (count == 0) {
		strbuf_append_str(parse->error, "a command is missing");
		return -EINVAL;
	}
	if (read_command(parse, arguments[0]) < 0)
		return -EINVAL;
	if (options->wants_help)
		return 0;
	if (!(parse->commands & (1u << options->command))) {
		strbuf_printf(parse->error, "%s does not take %s", arguments[0], parse->restricted);
		return -EINVAL;
	}
	if (options->command == CTL_COMMAND_ENDPOINT)
		return read_endpoint_arguments(parse, arguments + 1, count - 1);
	if (options->command == CTL_COMMAND_TOP)
		return read_top_arguments(parse, arguments + 1, count - 1);
	if (options->command == CTL_COMMAND_GUARD)
		return guard_read_arguments(arguments + 1, count - 1, options, parse->error);
	if (options->command == CTL_COMMAND_GEO)
		return geo_read_arguments(arguments + 1, count - 1, options, parse->error);
	if (count > 1) {
		strbuf_printf(parse->error, "%s takes no '%s'", arguments[0], arguments[1]);
		return -EINVAL;
	}
	return 0;
}

int options_parse(int argc, char **argv, struct ctl_options *ret, struct strbuf *ret_error)
{
	const char *socket = getenv("SLUICE_SOCKET");
	struct parse parse = {.options = ret, .error = ret_error, .commands = ~0u};
	int option;

	*ret = (struct ctl_options){
		.socket = socket && *socket ? socket : CTL_DEFAULT_SOCKET,
		.timeout_ms = 5000,
		.instance = "default",
		.pin_path = CTL_DEFAULT_PINS,
	};
	optind = 0; /* glibc: start afresh, for callers that parse more than once */
	opterr = 0;
	while ((option = getopt_long(argc, argv, SHORT_OPTIONS, long_options, NULL)) != -1)
		if (on_option(&parse, option, argv) < 0)
			return -EINVAL;
	return read_arguments(&parse, argv + optind, argc - optind);
}
