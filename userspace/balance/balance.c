// SPDX-License-Identifier: Apache-2.0
/* The list of algorithms, and the average that feeds p2c. A new algorithm is a file and a line
 * here. */
#include "balance/balance.h"
#include "balance/balance_internal.h"

#include <string.h>

const struct balance_algorithm *const balance_algorithms[] = {
	&balance_round_robin,
	&balance_random,
	&balance_least_conn,
	&balance_p2c,
	&balance_maglev,
	&balance_source,
	NULL,
};

const struct balance_algorithm *balance_find(const char *name)
{
	for (size_t i = 0; balance_algorithms[i]; i++)
		if (strcmp(balance_algorithms[i]->name, name) == 0)
			return balance_algorithms[i];
	return NULL;
}

uint32_t balance_ewma(uint32_t average_us, uint32_t sample_us)
{
	int64_t distance = (int64_t)sample_us - average_us;
	int64_t step = distance / 8;

	if (average_us == 0)
		return sample_us ? sample_us : 1;
	/* Rounding towards zero would stop up to 7 µs away from where the samples are. */
	if (step == 0 && distance != 0)
		step = distance > 0 ? 1 : -1;
	return average_us + step > 0 ? (uint32_t)(average_us + step) : 1;
}
