// SPDX-License-Identifier: Apache-2.0
#include "core/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

struct item {
	char name;
	struct list_node node;
};

/* The list's names forwards must be @expected, and backwards its reverse. */
static void assert_list(struct list_node *head, const char *expected)
{
	struct list_node *back = head->prev;
	size_t len = strlen(expected), n = 0;

	list_for_each (node, head) {
		assert_true(n < len);
		assert_int_equal(list_entry(node, struct item, node)->name, expected[n++]);
	}
	assert_int_equal(n, len);
	for (; back != head; back = back->prev)
		assert_int_equal(list_entry(back, struct item, node)->name, expected[--n]);
	assert_int_equal(n, 0);
	assert_int_equal(list_is_empty(head), len == 0);
}

static void nodes_keep_the_order_of_pushes(void **state)
{
	struct item a = {.name = 'a'}, b = {.name = 'b'}, c = {.name = 'c'};
	struct list_node head;

	(void)state;
	list_init(&head);
	assert_list(&head, "");
	list_push_back(&head, &b.node);
	list_push_back(&head, &c.node);
	list_push_front(&head, &a.node);
	assert_list(&head, "abc");
}

static void removed_node_is_in_no_list(void **state)
{
	struct item a = {.name = 'a'}, b = {.name = 'b'}, c = {.name = 'c'};
	struct list_node head;

	(void)state;
	list_init(&head);
	list_push_back(&head, &a.node);
	list_push_back(&head, &b.node);
	list_push_back(&head, &c.node);
	assert_true(list_is_linked(&b.node));
	list_remove(&b.node);
	assert_false(list_is_linked(&b.node));
	list_remove(&b.node);
	assert_list(&head, "ac");
	list_push_front(&head, &b.node);
	assert_list(&head, "bac");
}

static void pop_takes_the_first(void **state)
{
	struct item a = {.name = 'a'}, b = {.name = 'b'};
	struct list_node head;

	(void)state;
	list_init(&head);
	assert_null(list_pop_front(&head));
	list_push_back(&head, &a.node);
	list_push_back(&head, &b.node);
	assert_ptr_equal(list_pop_front(&head), &a.node);
	assert_false(list_is_linked(&a.node));
	assert_ptr_equal(list_pop_front(&head), &b.node);
	assert_null(list_pop_front(&head));
}

static void splice_moves_all(void **state)
{
	struct item a = {.name = 'a'}, b = {.name = 'b'}, c = {.name = 'c'};
	struct list_node to, from;

	(void)state;
	list_init(&to);
	list_init(&from);
	list_splice_back(&to, &from);
	assert_list(&to, "");
	list_push_back(&from, &b.node);
	list_push_back(&from, &c.node);
	list_push_back(&to, &a.node);
	list_splice_back(&to, &from);
	assert_list(&to, "abc");
	assert_list(&from, "");
	list_splice_back(&from, &to);
	assert_list(&from, "abc");
}

static void safe_loop_may_remove_its_node(void **state)
{
	struct item items[5] = {};
	struct list_node head;

	(void)state;
	list_init(&head);
	for (size_t i = 0; i < 5; i++) {
		items[i].name = (char)('a' + i);
		list_push_back(&head, &items[i].node);
	}
	list_for_each_safe (node, &head) {
		if (list_entry(node, struct item, node)->name != 'c')
			list_remove(node);
	}
	assert_list(&head, "c");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_keep_the_order_of_pushes),
		cmocka_unit_test(removed_node_is_in_no_list),
		cmocka_unit_test(pop_takes_the_first),
		cmocka_unit_test(splice_moves_all),
		cmocka_unit_test(safe_loop_may_remove_its_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
