// SPDX-License-Identifier: Apache-2.0
/* The option tables against the structs that they fill: a value that is larger than its field would
 * be written over the next one. */
#include "config/config_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define DEPTH_MAX 16

static size_t nseen;

static void check_schema(const struct schema *schema, size_t size, unsigned depth);

static size_t end_of(const struct option *option)
{
	return option->offset + (option->is_list ? sizeof(void *) : option->field_size);
}

/* @size: of the struct; 0: nobody knows. */
static void check_option(const struct schema *schema, const struct option *option, size_t size,
			 unsigned depth)
{
	nseen++;
	if (size && end_of(option) > size)
		fail_msg("%s: %s: is beyond its struct", schema->name, option->name);
	if (option->type->size && option->field_size != option->type->size)
		fail_msg("%s: %s: %zu bytes for a %s, which takes %zu", schema->name, option->name,
			 option->field_size, option->type->name, option->type->size);
	if (option->members && option->members->size && option->field_size != option->members->size)
		fail_msg("%s: %s: %zu bytes for %s, which takes %zu", schema->name, option->name,
			 option->field_size, option->members->name, option->members->size);
	if (option->members)
		check_schema(option->members, option->field_size, depth + 1);
}

static void check_schema(const struct schema *schema, size_t size, unsigned depth)
{
	if (depth == DEPTH_MAX)
		return;
	for (size_t i = 0; i < schema->count; i++)
		check_option(schema, &schema->options[i], size, depth);
	if (schema->scalar)
		check_option(schema, schema->scalar, size, depth);
}

static void each_value_has_the_size_of_its_field(void **state)
{
	(void)state;
	check_schema(&schema_config, sizeof(struct config), 0);
	assert_true(nseen > 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_value_has_the_size_of_its_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
