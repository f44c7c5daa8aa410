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

static void endpoints_of_dispatch_are_judged_by_the_way_to_them(void **state)
{
	static const struct machine_way link = {"eth0", 1500, false, false, true, false};
	static const struct machine_way silent = {"eth0", 1500, false, false, false, false};
	static const struct machine_way routed = {"eth0", 9000, false, true, true, false};
	static const struct machine_way narrow = {"eth0", 1300, false, true, true, false};
	static const struct machine_way ours = {"lo", 65536, true, false, true, false};
	static const struct machine_way gate = {"eth0", 1500, false, false, true, true};
	static const struct {
		const char *forward;
		bool is_ipv6;
		const struct machine_way *way;
		const char *level, *says;
	} cases[] = {
		{"nat", false, &link, "ok", "through eth0, MTU 1500"},
		{"nat", false, NULL, "missing", "no way"},
		{"ipip", false, &routed, "ok", "up to 8980 bytes"},
		{"ipip", false, &link, "note", "up to 1480 bytes"},
		{"gue", true, &link, "note", "up to 1452 bytes"},
		{"gue", true, &narrow, "warn", "up to 1252 bytes"},
		{"l2", false, &link, "ok", "on the link"},
		{"l2", false, &silent, "warn", "nobody"},
		{"l2", false, &routed, "missing", "gateway"},
		{"ipip", false, &ours, "note", "this machine"},
		{"nat", false, &ours, "missing", "clients get none"},
		{"dnat", true, &ours, "missing", "clients get none"},
		{"dnat", false, &gate, "ok", "answers go on"},
		{"dnat", true, &link, "missing", "does not forward"},
	};
	struct doctor doctor = new_doctor();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		doctor_judge_endpoint(&doctor, cases[i].forward, "e", cases[i].is_ipv6,
				      cases[i].way);
		assert_string_equal(level_of(&doctor, i), cases[i].level);
		assert_non_null(strstr(member_text(json_array_get(doctor.findings, i), "text"),
				       cases[i].says));
	}
	json_decref(doctor.findings);
}

static void sources_of_nat_are_to_be_ours_alone(void **state)
{
	static const struct machine_way ours = {"lo", 65536, true, false, true, false};
	static const struct machine_way others = {"eth0", 1500, false, false, true, false};
	const struct doctor_ports used = {10000, 32767}, linux_range = {32768, 60999},
				  wide = {1024, 65535};
	struct doctor doctor = new_doctor();

	(void)state;
	doctor_judge_source(&doctor, "s", "10.0.0.9", &ours);
	doctor_judge_source(&doctor, "s", "10.0.0.9", &others);
	doctor_judge_source(&doctor, "s", "10.0.0.9", NULL);
	doctor_judge_source_ports(&doctor, "s", &used, &linux_range, "");
	doctor_judge_source_ports(&doctor, "s", &used, &wide, "");
	doctor_judge_source_ports(&doctor, "s", &used, &wide, "10000-32767");
	assert_string_equal(level_of(&doctor, 0), "ok");
	assert_string_equal(level_of(&doctor, 1), "warn");
	assert_string_equal(level_of(&doctor, 2), "warn");
	assert_string_equal(level_of(&doctor, 3), "ok");
	assert_string_equal(level_of(&doctor, 4), "warn");
	assert_string_equal(level_of(&doctor, 5), "ok");
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
		cmocka_unit_test(endpoints_of_dispatch_are_judged_by_the_way_to_them),
		cmocka_unit_test(sources_of_nat_are_to_be_ours_alone),
		cmocka_unit_test(report_groups_findings_and_shows_advice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
