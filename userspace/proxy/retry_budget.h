/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_RETRY_BUDGET_H
#define SLUICE_PROXY_RETRY_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What a worker may send another time to a pool: each request earns a share of a retry, up to ten
 * of them, and each retry spends one. So an endpoint that fails gets little more load, whereas
 * single failures are always made good. In hundredths of a retry.
 */
#define RETRY_BUDGET_PRICE 100
#define RETRY_BUDGET_MAX   (10 * RETRY_BUDGET_PRICE)

struct retry_budget {
	uint32_t spent; /* of RETRY_BUDGET_MAX: a zeroed one is full */
};

static inline void retry_budget_earn(struct retry_budget *budget, uint32_t percent)
{
	budget->spent -= percent < budget->spent ? percent : budget->spent;
}

/* @percent: 0: nothing is ever granted. Return: whether there was enough. */
static inline bool retry_budget_spend(struct retry_budget *budget, uint32_t percent)
{
	if (percent == 0 || budget->spent + RETRY_BUDGET_PRICE > RETRY_BUDGET_MAX)
		return false;
	budget->spent += RETRY_BUDGET_PRICE;
	return true;
}

#endif
