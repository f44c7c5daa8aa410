// SPDX-License-Identifier: Apache-2.0
#include "ctl/doctor_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct doctor new_doctor(void)
{
	return (struct doctor){.findings = json_array()};
}

static const char *level_of(const struct doctor *doctor, size_t index)
{
	return member_text(json_array_get(doctor->findings, index), "level");
}

static void worst_level_is_remembered(void **state)
{
	struct doctor doctor = new_doctor();

	(void)state;
	doctor_add(&doctor, &(struct doctor_finding){DOCTOR_WARN, "a", "b", NULL}, "%d", 1);
	doctor_add(&doctor, &(struct doctor_finding){DOCTOR_OK, "a", "b", NULL}, "%d", 2);
	assert_int_equal(doctor.worst, DOCTOR_WARN);
	json_decref(doctor.findings);
}

static void sysctls_are_judged_by_their_value(void **state)
{
	static const struct {
		const char *name, *value, *level;
	} cases[] = {
		{"net.core.bpf_jit_enable", "1", "ok"},
		{"net.core.bpf_jit_enable", "0", "warn"},
		{"net.core.somaxconn", "4096", "ok"},
		{"net.core.somaxconn", "128", "note"},
		{"net.ipv4.ip_forward", "0", "ok"},
		{"net.ipv4.ip_local_port_range", "10240\t65000", "ok"},
		{"net.ipv4.ip_local_port_range", "32768\t33000", "note"},
	};
	struct doctor doctor = new_doctor();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_true(doctor_judge_sysctl(&doctor, cases[i].name, cases[i].value));
		assert_string_equal(level_of(&doctor, i), cases[i].level);
	}
	assert_false(doctor_judge_sysctl(&doctor, "no.such", "1"));
	json_decref(doctor.findings);
}

static void daemon_that_relays_against_its_orders_misses_something(void **state)
{
	static const struct {
		const char *status, *level;
	} cases[] = {
		{"{\"acceleration\": {\"mode\": \"splice\", \"available\": true}}", "ok"},
		{"{\"acceleration\": {\"mode\": \"splice\", \"available\": false}}", "missing"},
		{"{\"acceleration\": {\"mode\": \"off\", \"available\": false}}", "note"},
	};
	struct doctor doctor = new_doctor();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *status = json_loads(cases[i].status, 0, NULL);

		doctor_look_at_daemon(&doctor, status);
		assert_string_equal(level_of(&doctor, i), cases[i].level);
		json_decref(status);
	}
	doctor_look_at_daemon(&doctor, NULL);
	assert_string_equal(level_of(&doctor, ARRAY_SIZE(cases)), "note");
	json_decref(doctor.findings);
}

static void report_groups_findings_and_shows_advice(void **state)
{
	struct doctor doctor = new_doctor();
	struct ctl_screen screen = {0};
	struct strbuf out = {0};

	(void)state;
	doctor_add(&doctor, &(struct doctor_finding){DOCTOR_OK, "kernel", "a", NULL}, "fine");
	doctor_add(&doctor, &(struct doctor_finding){DOCTOR_MISSING, "kernel", "b", "do it"},
		   "bad");
	doctor_add(&doctor, &(struct doctor_finding){DOCTOR_NOTE, "rung", "c", NULL}, "so");
	doctor_render(&doctor, &screen, &out);
	assert_string_equal(out.text, "kernel\n"
				      "  ok       a: fine\n"
				      "  missing  b: bad\n"
				      "           try: do it\n"
				      "\n"
				      "rung\n"
				      "  note     c: so\n");
	strbuf_done(&out);
	json_decref(doctor.findings);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(worst_level_is_remembered),
		cmocka_unit_test(sysctls_are_judged_by_their_value),
		cmocka_unit_test(daemon_that_relays_against_its_orders_misses_something),
		cmocka_unit_test(report_groups_findings_and_shows_advice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
