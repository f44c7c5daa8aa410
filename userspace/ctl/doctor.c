// SPDX-License-Identifier: Apache-2.0
/*
 * `sluicectl doctor`: tells what this machine can do, rung by rung and device by device, and what
 * to change for more. It asks the machine itself, and the daemon only for what that has attached.
 */
#include "ctl/doctor_internal.h"

#include <stdarg.h>

static const char *const level_names[] = {
#define X(name, text) [DOCTOR_##name] = text,
	DOCTOR_LEVELS(X)
#undef X
};

static const enum table_colour level_colours[] = {
	[DOCTOR_OK] = TABLE_GOOD,
	[DOCTOR_NOTE] = TABLE_DIM,
	[DOCTOR_WARN] = TABLE_WARN,
	[DOCTOR_MISSING] = TABLE_BAD,
};

void doctor_add(struct doctor *doctor, const struct doctor_finding *finding, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (finding->level > doctor->worst)
		doctor->worst = finding->level;
	json_array_append_new(doctor->findings,
			      json_pack("{s:s, s:s, s:s, s:s, s:s}", "area", finding->area,
					"subject", finding->subject, "level",
					level_names[finding->level], "text", text, "advice",
					finding->advice ? finding->advice : ""));
}

/* --- The daemon ---------------------------------------------------------------------------------
 */

void doctor_look_at_daemon(struct doctor *doctor, const json_t *status)
{
	const json_t *acceleration = json_object_get(status, "acceleration"), *device;
	bool is_available = json_is_true(json_object_get(acceleration, "available"));
	bool is_asked = strcmp(member_text(acceleration, "mode"), "splice") == 0;

	if (!status) {
		doctor_add(doctor, &(struct doctor_finding){DOCTOR_NOTE, "daemon", "sluiced", NULL},
			   "does not answer: only the machine was looked at");
		return;
	}
	doctor_add(doctor,
		   &(struct doctor_finding){
			   is_available ? DOCTOR_OK
			   : is_asked   ? DOCTOR_MISSING
					: DOCTOR_NOTE,
			   "daemon", "acceleration",
			   is_available || is_asked ? NULL : "acceleration: {mode: splice}"},
		   "mode %s%s%s", member_text(acceleration, "mode"),
		   is_available ? "" : ": relay: ", member_text(acceleration, "why"));
	for (size_t i = 0; (device = member_element(acceleration, "devices", i)); i++) {
		const char *why = member_text(device, "why");

		doctor_add(doctor,
			   &(struct doctor_finding){DOCTOR_OK, "daemon",
						    member_text(device, "name"), NULL},
			   "%s%s%s", member_text(device, "hook"), *why ? ": " : "", why);
	}
}

/* Return: what the daemon says to @command; NULL: no answer. */
static json_t *ask(const struct ctl_options *options, const char *command)
{
	json_t *request = json_pack("{s:s}", "command", command), *result = NULL;
	struct client client = {.fd = -1};
	struct strbuf error = {0};

	if (client_open(options->socket, options->timeout_ms, &client) == 0 &&
	    client_call(&client, request, &result, &error) < 0)
		result = NULL;
	client_close(&client);
	json_decref(request);
	strbuf_done(&error);
	return result;
}

/* --- The report ---------------------------------------------------------------------------------
 */

static enum table_colour colour_of(const char *level)
{
	for (size_t i = 0; i < ARRAY_SIZE(level_names); i++)
		if (strcmp(level_names[i], level) == 0)
			return level_colours[i];
	return TABLE_PLAIN;
}

void doctor_render(const struct doctor *doctor, const struct ctl_screen *screen, struct strbuf *out)
{
	const json_t *finding;
	const char *area = "";

	for (size_t i = 0; (finding = json_array_get(doctor->findings, i)); i++) {
		const char *level = member_text(finding, "level");
		const char *advice = member_text(finding, "advice");

		if (strcmp(area, member_text(finding, "area")) != 0) {
			area = member_text(finding, "area");
			strbuf_printf(out, "%s%s%s%s\n", i ? "\n" : "",
				      table_colour_begin(screen, TABLE_BOLD), area,
				      table_colour_end(screen, TABLE_BOLD));
		}
		strbuf_printf(out, "  %s%-7s%s  %s: %s\n",
			      table_colour_begin(screen, colour_of(level)), level,
			      table_colour_end(screen, colour_of(level)),
			      member_text(finding, "subject"), member_text(finding, "text"));
		if (*advice)
			strbuf_printf(out, "           try: %s\n", advice);
	}
}

static void look(struct doctor *doctor, const struct ctl_options *options)
{
	json_t *status = ask(options, "status");
	json_t *services = status ? ask(options, "services") : NULL;

	doctor_look_at_kernel(doctor);
	doctor_look_at_programs(doctor);
	doctor_look_at_devices(doctor);
	doctor_look_at_limits(doctor);
	doctor_look_at_daemon(doctor, status);
	doctor_look_at_dispatch(doctor, services);
	doctor_look_at_rungs(doctor);
	json_decref(services);
	json_decref(status);
}

static void print(const struct doctor *doctor, const struct ctl_options *options,
		  const struct ctl_screen *screen)
{
	struct strbuf text = {0};
	json_t *report;

	if (options->is_json) {
		report = json_pack("{s:s, s:O}", "worst", level_names[doctor->worst], "findings",
				   doctor->findings);
		json_dumpf(report, screen->out, JSON_INDENT(2));
		fputc('\n', screen->out);
		json_decref(report);
		return;
	}
	doctor_render(doctor, screen, &text);
	if (text.len)
		fwrite(text.text, 1, text.len, screen->out);
	strbuf_done(&text);
}

int doctor_run(const struct ctl_options *options, const struct ctl_screen *screen)
{
	struct doctor doctor = {.findings = json_array()};

	look(&doctor, options);
	print(&doctor, options, screen);
	json_decref(doctor.findings);
	return doctor.worst == DOCTOR_MISSING ? CTL_EXIT_FAILED : CTL_EXIT_OK;
}
