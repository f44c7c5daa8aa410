/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_METRICS_PROMETHEUS_H
#define SLUICE_METRICS_PROMETHEUS_H

#include "core/strbuf.h"
#include "metrics/histogram.h"

#include <stdint.h>

/*
 * The Prometheus text exposition format 0.0.4. A family is announced once, its samples follow.
 * Label names are ours and valid; label values are escaped here.
 */
struct prometheus_label {
	const char *name, *value;
};

/* @type: "counter", "gauge" or "histogram". */
void prometheus_family(struct strbuf *out, const char *name, const char *type, const char *help);

/* @labels: ended by one whose name is NULL; NULL: none. */
void prometheus_sample(struct strbuf *out, const char *name, const struct prometheus_label *labels,
		       uint64_t value);

/* The _bucket (cumulative, le in seconds), _sum and _count lines. */
void prometheus_histogram(struct strbuf *out, const char *name,
			  const struct prometheus_label *labels, const struct histogram *histogram);

#endif
