// SPDX-License-Identifier: Apache-2.0
#include "ctl/ctl_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static const struct table_column columns[] = {
	{.title = "NAME", .is_shrinkable = true},
	{.title = "STATE"},
	{.title = "COUNT", .is_right = true},
};

static void render(const struct ctl_screen *screen, size_t max_rows, const char *expected)
{
	struct strbuf out = {0};
	struct table table;

	table_init(&table, columns, ARRAY_SIZE(columns));
	table_add(&table, TABLE_PLAIN, "a-long-name-of-something");
	table_add(&table, TABLE_GOOD, "up");
	table_add_count(&table, 7);
	table_add(&table, TABLE_PLAIN, "b");
	table_add(&table, TABLE_BAD, "down");
	table_add_count(&table, 123456);
	table_render(&table, screen, max_rows, &out);
	assert_string_equal(out.text, expected);
	table_done(&table);
	strbuf_done(&out);
}

static void columns_are_as_wide_as_their_widest_cell(void **state)
{
	(void)state;
	render(&(struct ctl_screen){0}, 0,
	       "NAME                      STATE   COUNT\n"
	       "a-long-name-of-something  up          7\n"
	       "b                         down   123.5k\n");
}

static void a_narrow_screen_shrinks_what_may_shrink(void **state)
{
	(void)state;
	render(&(struct ctl_screen){.width = 30}, 0,
	       "NAME             STATE   COUNT\n"
	       "a-long-name-of…  up          7\n"
	       "b                down   123.5k\n");
}

static void no_line_is_wider_than_the_screen(void **state)
{
	(void)state;
	for (uint32_t width = 1; width < 45; width++) {
		struct ctl_screen screen = {.width = width};
		struct strbuf out = {0};
		struct table table;

		table_init(&table, columns, ARRAY_SIZE(columns));
		table_add(&table, TABLE_PLAIN, "a-long-name-of-something");
		table_add(&table, TABLE_GOOD, "up");
		table_add_count(&table, 7);
		table_render(&table, &screen, 0, &out);
		for (char *line = strtok(out.text, "\n"); line; line = strtok(NULL, "\n"))
			assert_true(text_width(line) <= width);
		table_done(&table);
		strbuf_done(&out);
	}
}

static void colours_do_not_move_columns(void **state)
{
	(void)state;
	render(&(struct ctl_screen){.has_colour = true}, 0,
	       "\033[1mNAME\033[0m                      \033[1mSTATE\033[0m   \033[1mCOUNT\033[0m\n"
	       "a-long-name-of-something  \033[32mup\033[0m          7\n"
	       "b                         \033[31mdown\033[0m   123.5k\n");
}

static void rows_beyond_the_limit_are_left_out(void **state)
{
	(void)state;
	render(&(struct ctl_screen){0}, 1,
	       "NAME                      STATE   COUNT\n"
	       "a-long-name-of-something  up          7\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_as_wide_as_their_widest_cell),
		cmocka_unit_test(a_narrow_screen_shrinks_what_may_shrink),
		cmocka_unit_test(no_line_is_wider_than_the_screen),
		cmocka_unit_test(colours_do_not_move_columns),
		cmocka_unit_test(rows_beyond_the_limit_are_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
