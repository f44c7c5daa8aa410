/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_BPF_EVENT_USE_H
#define TESTS_BPF_EVENT_USE_H

/* What programs have not told of. */
#include "abi/flow.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

/* @map_fd: of `event_uses`. */
static inline uint64_t count_untold(int map_fd, uint32_t kind)
{
	size_t ncpus = (size_t)libbpf_num_possible_cpus();
	struct flow_event_use *uses = calloc(ncpus, sizeof(*uses));
	uint64_t sum = 0;

	assert_non_null(uses);
	assert_int_equal(bpf_map_lookup_elem(map_fd, &kind, uses), 0);
	for (size_t i = 0; i < ncpus; i++)
		sum += uses[i].untold;
	free(uses);
	return sum;
}

#endif
