// SPDX-License-Identifier: Apache-2.0
#include "core/compiler.h"
#include "metrics/prometheus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void assert_text(struct strbuf *out, const char *expected)
{
	assert_false(out->is_failed);
	assert_string_equal(out->text, expected);
	strbuf_done(out);
}

static void family_is_announced_by_help_and_type(void **state)
{
	struct strbuf out = {};

	(void)state;
	prometheus_family(&out, "sluice_x_total", "counter", "Things \"done\" in C:\\\nand more.");
	assert_text(&out, "# HELP sluice_x_total Things \"done\" in C:\\\\\\nand more.\n"
			  "# TYPE sluice_x_total counter\n");
}

static void sample_without_labels_has_no_braces(void **state)
{
	static const struct prometheus_label none[] = {{}};
	struct strbuf out = {};

	(void)state;
	prometheus_sample(&out, "sluice_x_total", NULL, 0);
	prometheus_sample(&out, "sluice_x_total", none, UINT64_MAX);
	assert_text(&out, "sluice_x_total 0\nsluice_x_total 18446744073709551615\n");
}

static void labels_are_escaped(void **state)
{
	static const struct prometheus_label labels[] = {
		{"pool", "a\"b\\c\nd"}, {"empty", ""}, {"name", "gr\xc3\xbc\xc3\x9f"}, {}};
	struct strbuf out = {};

	(void)state;
	prometheus_sample(&out, "x", labels, 1);
	assert_text(&out, "x{pool=\"a\\\"b\\\\c\\nd\",empty=\"\",name=\"gr\xc3\xbc\xc3\x9f\"} 1\n");
}

static void label_that_is_not_utf8_is_made_so(void **state)
{
	static const struct prometheus_label labels[] = {{"name", "a\xff"
								  "b\xc3"},
							 {}};
	struct strbuf out = {};

	(void)state;
	prometheus_sample(&out, "x", labels, 1);
	assert_text(&out, "x{name=\"a\xef\xbf\xbd"
			  "b\xef\xbf\xbd\"} 1\n");
}

static const char histogram_text[] = "t_bucket{pool=\"p\",le=\"0.000064\"} 1\n"
				     "t_bucket{pool=\"p\",le=\"0.000128\"} 1\n"
				     "t_bucket{pool=\"p\",le=\"0.000256\"} 3\n"
				     "t_bucket{pool=\"p\",le=\"0.000512\"} 3\n"
				     "t_bucket{pool=\"p\",le=\"0.001024\"} 3\n"
				     "t_bucket{pool=\"p\",le=\"0.002048\"} 3\n"
				     "t_bucket{pool=\"p\",le=\"0.004096\"} 3\n"
				     "t_bucket{pool=\"p\",le=\"0.008192\"} 3\n"
				     "t_bucket{pool=\"p\",le=\"0.016384\"} 3\n"
				     "t_bucket{pool=\"p\",le=\"0.032768\"} 3\n"
				     "t_bucket{pool=\"p\",le=\"0.065536\"} 3\n"
				     "t_bucket{pool=\"p\",le=\"0.131072\"} 3\n"
				     "t_bucket{pool=\"p\",le=\"0.262144\"} 3\n"
				     "t_bucket{pool=\"p\",le=\"0.524288\"} 3\n"
				     "t_bucket{pool=\"p\",le=\"1.048576\"} 3\n"
				     "t_bucket{pool=\"p\",le=\"2.097152\"} 3\n"
				     "t_bucket{pool=\"p\",le=\"4.194304\"} 3\n"
				     "t_bucket{pool=\"p\",le=\"8.388608\"} 3\n"
				     "t_bucket{pool=\"p\",le=\"16.777216\"} 3\n"
				     "t_bucket{pool=\"p\",le=\"33.554432\"} 3\n"
				     "t_bucket{pool=\"p\",le=\"67.108864\"} 3\n"
				     "t_bucket{pool=\"p\",le=\"134.217728\"} 3\n"
				     "t_bucket{pool=\"p\",le=\"+Inf\"} 4\n"
				     "t_sum{pool=\"p\"} 150.00045\n"
				     "t_count{pool=\"p\"} 4\n";

static void write_histogram(struct strbuf *out, const struct prometheus_label *labels)
{
	struct histogram histogram = {};

	histogram_observe(&histogram, 50);
	histogram_observe(&histogram, 200);
	histogram_observe(&histogram, 200);
	histogram_observe(&histogram, 150000000);
	prometheus_histogram(out, "t", labels, &histogram);
}

static void histogram_is_cumulative_in_seconds(void **state)
{
	static const struct prometheus_label labels[] = {{"pool", "p"}, {}};
	struct strbuf out = {};

	(void)state;
	write_histogram(&out, labels);
	assert_text(&out, histogram_text);
}

static void histogram_without_labels_has_le_alone(void **state)
{
	struct histogram histogram = {};
	struct strbuf out = {};

	(void)state;
	prometheus_histogram(&out, "t", NULL, &histogram);
	assert_non_null(strstr(out.text, "t_bucket{le=\"0.000064\"} 0\n"));
	assert_non_null(strstr(out.text, "\nt_sum 0\nt_count 0\n"));
	strbuf_done(&out);
}

static void whole_seconds_keep_their_zeros(void **state)
{
	struct histogram histogram = {};
	struct strbuf out = {};

	(void)state;
	histogram_observe(&histogram, 100000000);
	prometheus_histogram(&out, "t", NULL, &histogram);
	assert_non_null(strstr(out.text, "\nt_sum 100\n"));
	strbuf_done(&out);
}

static int check_with_promtool(const char *text)
{
	FILE *promtool = popen("promtool check metrics", "w");

	assert_non_null(promtool);
	fputs(text, promtool);
	return pclose(promtool);
}

static void promtool_accepts_the_exposition(void **state)
{
	static const struct prometheus_label labels[] = {{"pool", "a\"b\\c\nd\xff"}, {}};
	struct histogram histogram = {};
	struct strbuf out = {};

	(void)state;
	if (system("command -v promtool >/dev/null") != 0) {
		print_message("SKIP: promtool is not installed\n");
		skip();
	}
	prometheus_family(&out, "sluice_connections_total", "counter", "Accepted \\ all\nof them.");
	prometheus_sample(&out, "sluice_connections_total", labels, 12);
	prometheus_family(&out, "sluice_connections_active", "gauge", "Open now.");
	prometheus_sample(&out, "sluice_connections_active", NULL, 3);
	prometheus_family(&out, "sluice_connect_seconds", "histogram", "Time to connect.");
	histogram_observe(&histogram, 70);
	prometheus_histogram(&out, "sluice_connect_seconds", labels, &histogram);
	assert_int_equal(check_with_promtool(out.text), 0);
	strbuf_done(&out);
	assert_int_not_equal(check_with_promtool("x{le=1} one\n"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(family_is_announced_by_help_and_type),
		cmocka_unit_test(sample_without_labels_has_no_braces),
		cmocka_unit_test(labels_are_escaped),
		cmocka_unit_test(label_that_is_not_utf8_is_made_so),
		cmocka_unit_test(histogram_is_cumulative_in_seconds),
		cmocka_unit_test(histogram_without_labels_has_le_alone),
		cmocka_unit_test(whole_seconds_keep_their_zeros),
		cmocka_unit_test(promtool_accepts_the_exposition),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
