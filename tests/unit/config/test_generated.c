// SPDX-License-Identifier: Apache-2.0
/*
 * What comes out of the schema table besides the parser, and the files that hold copies of it.
 * SLUICE_UPDATE=1 writes those files anew instead of comparing them.
 */
#include "config/config.h"
#include "config/render.h"
#include "core/compiler.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/wait.h>
#include <jansson.h>
#include <cmocka.h>

#define REFERENCE "configs/reference.yaml"
#define GUIDE     "docs/configuration.md"
#define MANUAL    "docs/man/sluice.yaml.5"

#define BEGIN_MARK "<!-- options: generated from the schema, do not edit -->\n"
#define END_MARK   "<!-- end of options -->\n"

#define MAN_BEGIN_MARK ".\\\" options: generated from the schema, do not edit\n"
#define MAN_END_MARK   ".\\\" end of options\n"

/* The caller frees it. */
static char *read_file(const char *path)
{
	struct strbuf text = {};
	FILE *file = fopen(path, "re");
	char chunk[4096];
	size_t len;

	if (!file)
		fail_msg("%s cannot be opened", path);
	while ((len = fread(chunk, 1, sizeof(chunk), file)) > 0)
		strbuf_append(&text, slice_of(chunk, len));
	fclose(file);
	return strbuf_take(&text);
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* Compares, or writes where that was asked for. */
static void expect_file(const char *path, const char *expected)
{
	char *text;

	if (getenv("SLUICE_UPDATE")) {
		write_file(path, expected);
		return;
	}
	text = read_file(path);
	if (strcmp(text, expected) != 0)
		fail_msg("%s is out of date: SLUICE_UPDATE=1 make unit TEST=config", path);
	free(text);
}

static void the_reference_file_is_what_the_schema_gives(void **state)
{
	struct strbuf out = {};

	(void)state;
	config_render_reference(&out);
	expect_file(REFERENCE, out.text);
	strbuf_done(&out);
}

/* A file that holds what @render gives between two marks. */
static void expect_between(const char *path, const char *begin_mark, const char *end_mark,
			   void (*render)(struct strbuf *out), const char *after)
{
	char *file = read_file(path), *begin = strstr(file, begin_mark);
	char *end = strstr(file, end_mark);
	struct strbuf out = {};

	assert_non_null(begin);
	assert_non_null(end);
	strbuf_append(&out, slice_of(file, (size_t)(begin - file)));
	strbuf_append_str(&out, begin_mark);
	render(&out);
	strbuf_printf(&out, "%s%s", after, end);
	expect_file(path, out.text);
	strbuf_done(&out);
	free(file);
}

static void the_guide_has_the_tables_of_the_schema(void **state)
{
	(void)state;
	expect_between(GUIDE, BEGIN_MARK, END_MARK, config_render_markdown, "\n");
}

static void the_manual_page_has_the_options_of_the_schema(void **state)
{
	(void)state;
	expect_between(MANUAL, MAN_BEGIN_MARK, MAN_END_MARK, config_render_man, "");
}

static struct config *parse(const char *text)
{
	struct config *config = NULL;
	struct strbuf errors = {};
	int err = config_parse("t", slice_from_str(text), &config, &errors);

	if (err)
		print_error("%s\n", errors.text ? errors.text : "no message");
	strbuf_done(&errors);
	assert_int_equal(err, 0);
	return config;
}

/* The plain numbers between two members of a struct, both included. */
#define assert_same(a, b, type, first, last)                                  \
	assert_memory_equal((const char *)(a) + offsetof(struct type, first), \
			    (const char *)(b) + offsetof(struct type, first), \
			    offsetof(struct type, last) + sizeof((a)->last) - \
				    offsetof(struct type, first))

/* Its values, written out, are those that a file without them has. */
static void the_reference_file_loads_with_all_defaults(void **state)
{
	struct config *plain = parse("listeners:\n- {name: www, bind: ['0.0.0.0:443', '[::]:443'], "
				     "pool: web}\n"
				     "pools:\n- {name: web, endpoints: ['10.0.0.1:8080']}\n");
	struct strbuf out = {};
	struct config *full;

	(void)state;
	config_render_reference(&out);
	full = parse(out.text);
	assert_same(full, plain, config, workers, io);
	assert_same(&full->acceleration, &plain->acceleration, config_acceleration, mode, hook);
	assert_int_equal(full->acceleration.ninterfaces, 0);
	assert_string_equal(full->acceleration.pin_path, plain->acceleration.pin_path);
	assert_string_equal(full->acceleration.instance, plain->acceleration.instance);
	assert_same(&full->guard, &plain->guard, config_guard, source, drops_malformed);
	assert_same(&full->guard, &plain->guard, config_guard, syn_cookies, max_sources);
	assert_int_equal(full->guard.mode, CONFIG_GUARD_OFF);
	assert_int_equal(full->drain_timeout_ms, plain->drain_timeout_ms);
	assert_same(full, plain, config, log, log);
	assert_same(&full->limits, &plain->limits, config_limits, max_connections,
		    relay_buffer_bytes);
	assert_string_equal(full->admin.socket, plain->admin.socket);
	assert_int_equal(full->admin.socket_mode, plain->admin.socket_mode);
	assert_null(full->access_log.path);
	assert_same(&full->listeners[0], &plain->listeners[0], config_listener, is_v6only,
		    socket_mode);
	assert_same(&full->listeners[0], &plain->listeners[0], config_listener, proxy_timeout_ms,
		    keepalive_ms);
	assert_int_equal(full->pools[0].balance, plain->pools[0].balance);
	assert_int_equal(full->pools[0].maglev_table_size, plain->pools[0].maglev_table_size);
	assert_same(&full->pools[0], &plain->pools[0], config_pool, outlier, is_transparent);
	assert_same(&full->pools[0].health, &plain->pools[0].health, config_health_check, kind,
		    port);
	assert_same(&full->pools[0].endpoints[0], &plain->pools[0].endpoints[0], config_endpoint,
		    weight, max_connections);
	config_free(full);
	config_free(plain);
	strbuf_done(&out);
}

/* Every line without "## " in front is an option: with "# " taken away it is one that exists. */
static void every_option_in_the_reference_is_known(void **state)
{
	struct strbuf out = {}, bare = {}, errors = {};
	struct config *config = NULL;

	(void)state;
	config_render_reference(&out);
	for (char *line = strtok(out.text, "\n"); line; line = strtok(NULL, "\n")) {
		char *mark = strstr(line, "# ");

		if (mark && (mark == line || mark[-1] == ' ') &&
		    strspn(line, " ") == (size_t)(mark - line))
			memmove(mark, mark + 2, strlen(mark + 2) + 1);
		strbuf_printf(&bare, "%s\n", line);
	}
	/* Some exclude each other, which is wrong, but nothing worse. */
	assert_int_equal(config_parse("t", slice_of(bare.text, bare.len), &config, &errors),
			 -EINVAL);
	assert_non_null(strstr(errors.text, "tier stands beside backup"));
	assert_null(strstr(errors.text, "unknown option"));
	assert_null(strstr(errors.text, "YAML"));
	strbuf_done(&out);
	strbuf_done(&bare);
	strbuf_done(&errors);
}

static void the_json_schema_is_json(void **state)
{
	struct strbuf out = {};
	json_t *schema;

	(void)state;
	config_render_json_schema(&out);
	schema = json_loads(out.text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(schema);
	assert_string_equal(json_string_value(json_object_get(schema, "$schema")),
			    "https://json-schema.org/draft/2020-12/schema");
	json_decref(schema);
	strbuf_done(&out);
}

/* Good files and bad ones through a validator that is not ours; exit status 77: it is not there. */
static void the_json_schema_tells_good_files_from_bad(void **state)
{
	char path[] = "/tmp/sluice-schema-XXXXXX", command[128];
	int fd = mkstemp(path), status;
	struct strbuf out = {};

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	config_render_json_schema(&out);
	write_file(path, out.text);
	strbuf_done(&out);
	snprintf(command, sizeof(command),
		 "/usr/bin/python3 tests/unit/config/validate_schema.py %s", path);
	status = system(command);
	unlink(path);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void the_manual_page_has_every_option(void **state)
{
	struct strbuf out = {};

	(void)state;
	config_render_man(&out);
	assert_non_null(strstr(out.text, "\n.B workers\n"));
	assert_non_null(strstr(out.text, "\n.SS pools[].endpoints[]\n"));
	assert_non_null(strstr(out.text, "\n.B health.http.expect\n"));
	assert_non_null(strstr(out.text, "such as 200\\-399"));
	strbuf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_reference_file_is_what_the_schema_gives),
		cmocka_unit_test(the_guide_has_the_tables_of_the_schema),
		cmocka_unit_test(the_manual_page_has_the_options_of_the_schema),
		cmocka_unit_test(the_reference_file_loads_with_all_defaults),
		cmocka_unit_test(every_option_in_the_reference_is_known),
		cmocka_unit_test(the_json_schema_is_json),
		cmocka_unit_test(the_json_schema_tells_good_files_from_bad),
		cmocka_unit_test(the_manual_page_has_every_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
