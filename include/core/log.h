/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CORE_LOG_H
#define SLUICE_CORE_LOG_H

#include "core/compiler.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The daemon's own log: one line an event, to standard error, as text or JSON. Messages name
 * operation, object and cause; secrets and payload never go in.
 *
 * A flood of one message (the same call site) is cut to LOG_BURST lines in LOG_WINDOW_MS; the next
 * line that passes says how many were left out.
 *
 * Thread: any. A line is written by one write(2) of at most PIPE_BUF bytes, so that lines of
 * several threads do not mix; longer messages are cut. errno stays as it was. Whoever logs to a
 * pipe or a socket ignores SIGPIPE. Nobody waits for a reader: a line that cannot be written is
 * lost, counted, and told of as soon as one can.
 */
#define LOG_LEVELS(X)     \
	X(ERROR, "error") \
	X(WARN, "warn")   \
	X(INFO, "info")   \
	X(DEBUG, "debug")

enum log_level {
#define X(name, text) LOG_##name,
	LOG_LEVELS(X)
#undef X
};

enum log_format {
	LOG_FORMAT_TEXT,
	LOG_FORMAT_JSON,
};

#define LOG_BURST     20
#define LOG_WINDOW_MS 5000

/* What one call site has used of its allowance; static and zero at first. */
struct log_site {
	_Atomic uint64_t window_start_ms;
	_Atomic uint32_t count;
	_Atomic uint32_t suppressed;
};

/*
 * @fd is borrowed; lines more talkative than @level are dropped. Affects all threads at once.
 * Another @fd than before: while there is one thread.
 */
void log_configure(int fd, enum log_level level, enum log_format format);

/* Whether a line of this level would be written; guards costly arguments. */
bool log_is_enabled(enum log_level level);

const char *log_level_name(enum log_level level);

/* Since the start. */
uint32_t log_lost_lines(void);

void log_write(struct log_site *site, enum log_level level, const char *fmt, ...) PRINTF(3, 4);

/* A line for each one of @text, which may be NULL. */
void log_lines(enum log_level level, const char *prefix, const char *text);

#define log_at(level, ...)                                     \
	do {                                                   \
		static struct log_site site_;                  \
		if (log_is_enabled(level))                     \
			log_write(&site_, level, __VA_ARGS__); \
	} while (0)

#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)

#endif
