/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CTL_DOCTOR_INTERNAL_H
#define SLUICE_CTL_DOCTOR_INTERNAL_H

#include "ctl/ctl_internal.h"
#include "fastpath/machine.h"

/* `sluicectl doctor`: what this machine can do, and what to change for more. */

#define DOCTOR_LEVELS(X)                                       \
	X(OK, "ok")                                            \
	X(NOTE, "note")       /* as it is; to be known */      \
	X(WARN, "warn")       /* works, worse than it could */ \
	X(MISSING, "missing") /* keeps connections from a better rung */

enum doctor_level {
#define X(name, text) DOCTOR_##name,
	DOCTOR_LEVELS(X)
#undef X
};

struct doctor {
	json_t *findings; /* array of {area, subject, level, text, advice} */
	enum doctor_level worst;
	bool can_tc, can_xdp; /* the programs load */
	uint32_t ntc, nxdp;   /* devices that would take them */
};

struct doctor_finding {
	enum doctor_level level;
	const char *area, *subject;
	const char *advice; /* NULL: nothing to do */
};

/* @finding: borrowed for the call. */
void doctor_add(struct doctor *doctor, const struct doctor_finding *finding, const char *fmt, ...)
	PRINTF(3, 4);

/* doctor_kernel.c */
void doctor_look_at_kernel(struct doctor *doctor);
void doctor_look_at_limits(struct doctor *doctor);
/* A sysctl of the table, by its name; @value: what its file says. False: there is none. */
bool doctor_judge_sysctl(struct doctor *doctor, const char *name, const char *value);

/* doctor_devices.c */
void doctor_look_at_programs(struct doctor *doctor);
void doctor_look_at_devices(struct doctor *doctor);
void doctor_look_at_rungs(struct doctor *doctor);

/* doctor_dispatch.c; @result: what `services` says, or NULL. */
void doctor_look_at_dispatch(struct doctor *doctor, const json_t *result);

#define DOCTOR_FLOW_BYTES 80 /* of dispatch's tables: fastpath/splice.h */

/* Host order. */
struct doctor_ports {
	uint32_t first, last;
};

/* @way: NULL: there is none. */
void doctor_judge_endpoint(struct doctor *doctor, const char *forward, const char *subject,
			   bool is_ipv6, const struct machine_way *way);
void doctor_judge_source(struct doctor *doctor, const char *subject, const char *source,
			 const struct machine_way *way);
/* @reserved: what net.ipv4.ip_local_reserved_ports says. */
void doctor_judge_source_ports(struct doctor *doctor, const char *subject,
			       const struct doctor_ports *used, const struct doctor_ports *local,
			       const char *reserved);

/* doctor.c */
void doctor_look_at_daemon(struct doctor *doctor, const json_t *status);
void doctor_render(const struct doctor *doctor, const struct ctl_screen *screen,
		   struct strbuf *out);

#endif
