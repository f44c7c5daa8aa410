// SPDX-License-Identifier: Apache-2.0
// Sends libbpf's messages to the daemon's log.
#include "core/log.h"
#include "fastpath/fastpath_internal.h"

#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int print(enum libbpf_print_level level, const char *fmt, va_list args) PRINTF(2, 0);

static int print(enum libbpf_print_level level, const char *fmt, va_list args)
{
	char line[1024];

	if (level == LIBBPF_DEBUG || !log_is_enabled(LOG_DEBUG))
		return 0;
	vsnprintf(line, sizeof(line), fmt, args);
	line[strcspn(line, "\n")] = '\0';
	log_debug("%s", line);
	return 0;
}

void fastpath_log_libbpf(void)
{
	libbpf_set_print(print);
}
