/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CTL_INTERNAL_H
#define SLUICE_CTL_INTERNAL_H

#include "core/arena.h"
#include "core/compiler.h"
#include "core/strbuf.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* sluicectl, module by module. docs/control-protocol.md has what it speaks with the daemon. */

#define CTL_DEFAULT_SOCKET "/run/sluice/sluice.sock"
#define CTL_DEFAULT_PINS   "/sys/fs/bpf/sluice"

/* What the process exits with; sluicectl(1) documents them. */
enum ctl_exit {
	CTL_EXIT_OK = 0,
	CTL_EXIT_FAILED = 1,      /* the daemon refused or failed; doctor: something is missing */
	CTL_EXIT_USAGE = 2,       /* the command line is wrong */
	CTL_EXIT_UNREACHABLE = 3, /* no answer from the daemon */
};

/* Where output goes, and how much of it a line takes. */
struct ctl_screen {
	FILE *out, *err;
	uint32_t width;  /* columns; 0: no limit */
	uint32_t height; /* lines; 0: unknown */
	bool is_tty;     /* both the output and the input are */
	bool has_colour;
};

/* --- main: the program without its process ------------------------------------ */

int ctl_run(int argc, char **argv, struct ctl_screen *screen);

/* --- options.c ------------------------------------------------------------------ */

enum ctl_command {
	CTL_COMMAND_STATUS,
	CTL_COMMAND_LISTENERS,
	CTL_COMMAND_POOLS,
	CTL_COMMAND_SERVICES,
	CTL_COMMAND_CONNECTIONS,
	CTL_COMMAND_ENDPOINT,
	CTL_COMMAND_RELOAD,
	CTL_COMMAND_TOP,
	CTL_COMMAND_METRICS,
	CTL_COMMAND_DOCTOR,
	CTL_COMMAND_VERSION,
	CTL_COMMAND_FLOWS,
	CTL_COMMAND_GUARD,
	CTL_COMMAND_CAPTURE,
	CTL_COMMAND_GEO,
	CTL_COMMAND_COUNT,
};

/* What `top` shows. */
enum top_panel {
	TOP_POOLS,
	TOP_LISTENERS,
	TOP_CONNECTIONS,
	TOP_SERVICES,
	TOP_GUARD,
};

struct ctl_options {
	const char *socket;
	enum ctl_command command;
	uint32_t timeout_ms;
	bool is_json, no_colour;
	bool wants_help;    /* of @command, or of the program without one */
	bool wants_version; /* sluicectl's own */
	bool has_command;
	/* connections; NULL: not filtered */
	uint32_t limit; /* 0: the daemon's default */
	const char *listener, *pool, *endpoint, *state;
	/* endpoint: also @pool and @endpoint */
	const char *action;
	uint32_t weight;
	/* guard: also @action; capture: also @seconds and @limit */
	const char *network, *reason, *mode;
	uint32_t seconds;   /* 0: not given */
	const char *output; /* NULL: standard output */
	/* geo */
	char **addresses;
	size_t naddresses;
	/* top */
	uint32_t snapshots; /* 0: until it is told to quit */
	enum top_panel panel;
	/* flows */
	const char *instance, *pin_path;
	bool wants_verdicts, wants_discard;
};

/**
 * Reads the command line and SLUICE_SOCKET.
 * @ret: borrows from @argv, which is permuted.
 * @ret_error: one line without newline.
 * Return: 0; -EINVAL.
 */
int options_parse(int argc, char **argv, struct ctl_options *ret,
		  struct strbuf *ret_error) WARN_UNUSED;

const char *command_name(enum ctl_command command);

/* --- help.c --------------------------------------------------------------------- */

void help_program(FILE *out);
void help_command(FILE *out, enum ctl_command command);

/* --- client.c: one connection to the daemon ---------------------------------------- */

struct client {
	int fd;
	uint32_t timeout_ms; /* for one call */
	struct strbuf input;
};

/* Return: 0; -errno of the connection. */
int client_open(const char *path, uint32_t timeout_ms, struct client *ret) WARN_UNUSED;
void client_close(struct client *client);

/**
 * Sends one request and waits for its answer.
 * @request:    borrowed; gets the protocol's version.
 * @ret_result: the caller's reference.
 * @ret_error:  the daemon's words on -EREMOTEIO.
 * Return: 0; -EREMOTEIO: the daemon said no; -EPROTO: the answer is not of this protocol;
 * -ETIMEDOUT; -ECONNRESET: it hung up; another -errno.
 */
int client_call(struct client *client, json_t *request, json_t **ret_result,
		struct strbuf *ret_error) WARN_UNUSED;

/* What a person should look at when client_open() or client_call() failed with @error. */
void client_explain(const char *path, int error, struct strbuf *out);

/* --- text.c: values as people read them --------------------------------------------- */

#define TEXT_VALUE_SIZE 24

const char *text_bytes(uint64_t bytes, char ret[TEXT_VALUE_SIZE]);        /* 1.2 GiB */
const char *text_count(uint64_t count, char ret[TEXT_VALUE_SIZE]);        /* 98765, 1.2M */
const char *text_duration(double seconds, char ret[TEXT_VALUE_SIZE]);     /* 0.13ms, 3m12s */
const char *text_rate(double per_second, char ret[TEXT_VALUE_SIZE]);      /* 0.4, 128, 12.5k */
const char *text_byte_rate(double per_second, char ret[TEXT_VALUE_SIZE]); /* 1.2 MiB/s */

/* Columns that @text takes on a terminal, unprintable bytes counted as one. */
size_t text_width(const char *text);

/* Appends @text, at most @width columns of it (the last becomes "…" where it is cut). What a
 * terminal would obey (escape sequences, other controls) becomes "?". Return: columns written. */
size_t text_append_fitted(struct strbuf *out, const char *text, size_t width);

/* "5", "1.5s", "500ms", "2m". Return: 0; -EINVAL, also for 0 and for more than an hour. */
int text_parse_duration(const char *text, uint32_t *ret_ms) WARN_UNUSED;

/* --- table.c -------------------------------------------------------------------- */

enum table_colour {
	TABLE_PLAIN,
	TABLE_BOLD,
	TABLE_DIM,
	TABLE_GOOD,
	TABLE_WARN,
	TABLE_BAD,
};

struct table_column {
	const char *title;
	bool is_right;      /* numbers */
	bool is_shrinkable; /* is cut first where the line is too long */
};

struct table_cell {
	struct table_cell *next;
	const char *text;
	enum table_colour colour;
};

#define TABLE_COLUMNS_MAX 16

/* Cells are added row by row, from left to right. */
struct table {
	const struct table_column *columns; /* borrowed */
	size_t ncolumns;
	struct arena arena;
	struct table_cell *first, **last;
	size_t ncells;
	size_t widths[TABLE_COLUMNS_MAX];
};

void table_init(struct table *table, const struct table_column *columns, size_t ncolumns);
void table_done(struct table *table);
void table_add(struct table *table, enum table_colour colour, const char *text);
void table_add_count(struct table *table, uint64_t count);
void table_add_bytes(struct table *table, uint64_t bytes);
void table_add_duration(struct table *table, double seconds);

/* @max_rows: 0: all. */
void table_render(const struct table *table, const struct ctl_screen *screen, size_t max_rows,
		  struct strbuf *out);

/* The sequence that starts @colour, and the one that ends any; "" without colour. */
const char *table_colour_begin(const struct ctl_screen *screen, enum table_colour colour);
const char *table_colour_end(const struct ctl_screen *screen, enum table_colour colour);

/* --- views.c: one result, one function ----------------------------------------------- */

typedef void view_fn(const json_t *result, const struct ctl_screen *screen, struct strbuf *out);

view_fn view_status, view_listeners, view_pools, view_connections, view_endpoint, view_reload,
	view_metrics, view_version, view_guard, view_services, view_geo, view_mirrors;

/* guard.c: what follows "guard". Return: 0; -EINVAL with @error. */
int guard_read_arguments(char **arguments, int count, struct ctl_options *options,
			 struct strbuf *error) WARN_UNUSED;

#define CTL_ADDRESSES_MAX 1000 /* as many as the daemon takes at once */

/* geo.c: likewise. */
int geo_read_arguments(char **arguments, int count, struct ctl_options *options,
		       struct strbuf *error) WARN_UNUSED;

/* flows.c */
view_fn view_flows, view_verdicts;

/* Members of an object: "" or 0 where there is none, so that older daemons can be shown. */
const char *member_text(const json_t *object, const char *key);
uint64_t member_count(const json_t *object, const char *key);
double member_number(const json_t *object, const char *key);

/* Element @index of an array; NULL behind its end. */
const json_t *member_element(const json_t *object, const char *key, size_t index);

/* An endpoint's state in one or two words: drain, maint, ejected 12s, down, up, unchecked. */
const char *view_endpoint_state(const json_t *endpoint, char ret[TEXT_VALUE_SIZE],
				enum table_colour *ret_colour);

/* A cell of how often what happened: "1234 no_endpoint", or the sum and the commonest of several.
 */
void view_add_reasons(struct table *table, const json_t *reasons);
/* A cell of coordinates. @location: NULL: unknown. */
void view_add_location(struct table *table, enum table_colour colour, const json_t *location);

/* --- top ------------------------------------------------------------------------ */

/* By its title. Return: false: there is none. */
bool top_panel_find(const char *name, enum top_panel *ret);

/* What a panel's rows are ordered by, greatest first but for names. */
#define TOP_SORTS(X)             \
	X(NAME, 'n', "name")     \
	X(RATE, 'r', "rate")     \
	X(ACTIVE, 'a', "active") \
	X(BYTES, 'b', "bytes")

enum top_sort {
#define X(name, key, text) TOP_SORT_##name,
	TOP_SORTS(X)
#undef X
};

/* The daemon at one moment. References are the sample's. */
struct top_sample {
	uint64_t taken_us; /* monotonic; 0: there is none */
	json_t *status, *listeners, *pools, *connections, *services, *guard, *talkers;
};

struct top_frame {
	const struct top_sample *before, *now; /* @before may be empty: then rates are unknown */
	enum top_panel panel;
	enum top_sort sort;
};

/* top_sample.c */
int top_sample_take(struct client *client, struct top_sample *ret,
		    struct strbuf *ret_error) WARN_UNUSED;
void top_sample_done(struct top_sample *sample);

/* top_panel.c: the summary lines and one table; no escape sequences but colours. */
void top_render(const struct top_frame *frame, const struct ctl_screen *screen, struct strbuf *out);

/* flows.c: reads pinned maps; no daemon is asked. Return: enum ctl_exit. */
int flows_run(const struct ctl_options *options, const struct ctl_screen *screen);

/* top.c. Return: enum ctl_exit. */
int top_run(const struct ctl_options *options, struct ctl_screen *screen);

/* capture.c. Return: enum ctl_exit. */
int capture_run(const struct ctl_options *options, const struct ctl_screen *screen);

/* doctor.c. Return: enum ctl_exit. */
int doctor_run(const struct ctl_options *options, const struct ctl_screen *screen);

/* --- terminal.c: raw mode and the alternate screen --------------------------------- */

/* Return: 0; -errno. From here to terminal_leave() (also called at exit) the terminal is ours. */
int terminal_enter(void) WARN_UNUSED;
void terminal_leave(void);

/* Return: false where it cannot be told. */
bool terminal_size(int fd, uint32_t *ret_width, uint32_t *ret_height);

#endif
