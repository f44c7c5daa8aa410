// SPDX-License-Identifier: Apache-2.0
// Every way to look at a table must give what a walk through the list says.
#include "core/compiler.h"
#include "core/rng.h"
#include "guard/list6.h"
#include "guard/table.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "look6.h"

static void add(struct guard_list *list, const char *text, enum guard_why why, uint64_t expires_s)
{
	struct guard_entry entry = {.why = (uint8_t)why, .expires_s = expires_s};

	assert_int_equal(prefix_parse(slice_from_str(text), &entry.prefix), 0);
	guard_list_add(list, &entry);
}

static struct address address_of(const char *text)
{
	struct address address;

	assert_int_equal(address_parse_ip(slice_from_str(text), 0, &address), 0);
	return address;
}

static struct guard_table *table_of(struct guard_list *list, uint64_t now_s)
{
	struct guard_table *table = NULL;

	assert_int_equal(guard_table_new(list, now_s, &table), 0);
	return table;
}

/* As the packet programs do. */
static void put_address(uint32_t address, uint8_t ret[4])
{
	const uint32_t be = htonl(address);

	memcpy(ret, &be, sizeof(be));
}

static enum guard_why look4(const struct guard_line *lines, uint32_t address)
{
	uint32_t cell = guard_cell_of(&lines[guard_cell_line(address)], address);
	enum guard_why why = GUARD_WHY_NONE;
	struct guard_search search;

	if (!guard_search_begin(&search, cell, address))
		return guard_why_from(cell);
	for (int level = 0; level < GUARD_LEVELS_MAX; level++)
		if (guard_search_step(&search, &lines[search.line], &why))
			return why;
	fail_msg("no answer for %08x", address);
	return why;
}

static void assert_why(const struct guard_table *table, const char *text, enum guard_why expected)
{
	struct address address = address_of(text);
	enum guard_why why = guard_table_look(table, &address);

	if (why != expected)
		fail_msg("%s: %d, not %d", text, why, expected);
}

static void allow_wins_then_block_then_the_longest_place(void **state)
{
	struct guard_list list = {};
	struct guard_table *table;

	(void)state;
	add(&list, "10.0.0.0/8", GUARD_WHY_BLOCK, 0);
	add(&list, "10.1.0.0/16", GUARD_WHY_ALLOW, 0);
	add(&list, "10.1.2.3", GUARD_WHY_BLOCK, 0);
	add(&list, "10.9.9.9", GUARD_WHY_GEO, 0);
	add(&list, "20.0.0.0/8", GUARD_WHY_GEO, 0);
	add(&list, "20.5.0.0/16", GUARD_WHY_NONE, 0);
	add(&list, "20.5.5.0/24", GUARD_WHY_GEO, 0);
	add(&list, "20.5.5.5", GUARD_WHY_BLOCK, 0);
	add(&list, "30.0.0.1", GUARD_WHY_BLOCK, 0);
	add(&list, "30.0.0.1", GUARD_WHY_ALLOW, 0);
	add(&list, "2001:db8::/32", GUARD_WHY_BLOCK, 0);
	add(&list, "2001:db8:1::/48", GUARD_WHY_ALLOW, 0);
	table = table_of(&list, 0);
	assert_why(table, "10.0.0.0", GUARD_WHY_BLOCK);
	assert_why(table, "10.255.255.255", GUARD_WHY_BLOCK);
	assert_why(table, "11.0.0.0", GUARD_WHY_NONE);
	assert_why(table, "9.255.255.255", GUARD_WHY_NONE);
	assert_why(table, "10.1.0.0", GUARD_WHY_ALLOW);
	assert_why(table, "10.1.2.3", GUARD_WHY_ALLOW);
	assert_why(table, "::ffff:10.1.2.3", GUARD_WHY_ALLOW);
	assert_why(table, "10.2.0.0", GUARD_WHY_BLOCK);
	assert_why(table, "10.9.9.9", GUARD_WHY_BLOCK);
	assert_why(table, "20.0.0.1", GUARD_WHY_GEO);
	assert_why(table, "20.5.0.1", GUARD_WHY_NONE);
	assert_why(table, "20.5.5.1", GUARD_WHY_GEO);
	assert_why(table, "20.5.5.5", GUARD_WHY_BLOCK);
	assert_why(table, "20.6.0.0", GUARD_WHY_GEO);
	assert_why(table, "30.0.0.1", GUARD_WHY_ALLOW);
	assert_why(table, "2001:db8::1", GUARD_WHY_BLOCK);
	assert_why(table, "2001:db8:1::1", GUARD_WHY_ALLOW);
	assert_why(table, "2001:db8:2::", GUARD_WHY_BLOCK);
	assert_why(table, "2001:db9::", GUARD_WHY_NONE);
	guard_table_free(table);
	guard_list_done(&list);
}

static void all_of_ipv6_is_none_of_ipv4(void **state)
{
	struct guard_list list = {};
	struct guard_table *table;
	size_t count;

	(void)state;
	add(&list, "::/0", GUARD_WHY_BLOCK, 0);
	table = table_of(&list, 0);
	assert_why(table, "::", GUARD_WHY_BLOCK);
	assert_why(table, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", GUARD_WHY_BLOCK);
	assert_why(table, "192.0.2.1", GUARD_WHY_NONE);
	assert_int_equal(guard_table_lines(table), 0);
	(void)guard_table_networks6(table, &count);
	assert_int_equal(count, 1);
	guard_table_free(table);
	guard_list_done(&list);
}

static void expired_entries_are_left_out(void **state)
{
	struct guard_list list = {};
	struct guard_table *table;

	(void)state;
	add(&list, "10.0.0.1", GUARD_WHY_BLOCK, 100);
	add(&list, "10.0.0.2", GUARD_WHY_BLOCK, 200);
	add(&list, "10.0.0.3", GUARD_WHY_BLOCK, 300);
	table = table_of(&list, 100);
	assert_why(table, "10.0.0.1", GUARD_WHY_NONE);
	assert_why(table, "10.0.0.2", GUARD_WHY_BLOCK);
	assert_int_equal(guard_table_next_expiry(table), 200);
	guard_table_free(table);
	guard_list_done(&list);
}

/* From no change in a network of 18 bits to one at each of its addresses, each of them asked. */
static void crowded_networks_have_every_answer(void **state)
{
	static const uint32_t every[] = {16384, 5000, 1000, 513, 512, 511, 64, 33, 32, 31, 3, 2};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(every); i++) {
		struct guard_entry entry = {.prefix = {.family = AF_INET, .bits = 32}};
		struct guard_list list = {};
		struct guard_table *table;
		struct guard_line *lines;

		for (uint32_t at = 1; at < 3 * 16384; at += every[i]) {
			put_address(0x0a000000 + at, entry.prefix.ip);
			entry.why = (uint8_t)(1 + at / every[i] % 3);
			guard_list_add(&list, &entry);
		}
		table = table_of(&list, 0);
		lines = calloc(guard_table_lines(table), sizeof(*lines));
		assert_non_null(lines);
		guard_table_fill(table, lines);
		for (uint32_t at = 0; at < 4 * 16384; at++) {
			bool is_listed = at % every[i] == 1 % every[i] && at >= 1 && at < 3 * 16384;
			enum guard_why why = look4(lines, 0x0a000000 + at);

			if (why != (is_listed ? 1 + at / every[i] % 3 : GUARD_WHY_NONE))
				fail_msg("every %u: %u: %d", every[i], at, why);
		}
		free(lines);
		guard_table_free(table);
		guard_list_done(&list);
	}
}

static void unix_addresses_are_in_no_list(void **state)
{
	struct guard_list list = {};
	struct guard_table *table;
	struct address address;

	(void)state;
	add(&list, "0.0.0.0/0", GUARD_WHY_BLOCK, 0);
	table = table_of(&list, 0);
	assert_int_equal(address_parse(slice_from_str("unix:/x"), &address), 0);
	assert_int_equal(guard_table_look(table, &address), GUARD_WHY_NONE);
	guard_table_free(table);
	guard_list_done(&list);
}

/* --- Against a walk through the list ---------------------------------------------------------- */

static enum guard_why walk(const struct guard_list *list, const struct address *address)
{
	enum guard_why place = GUARD_WHY_NONE, why = GUARD_WHY_NONE;
	int longest = -1;

	for (size_t i = 0; i < list->count; i++) {
		const struct guard_entry *entry = &list->entries[i];

		if (!prefix_contains(&entry->prefix, address))
			continue;
		if (entry->why == GUARD_WHY_ALLOW ||
		    (entry->why == GUARD_WHY_BLOCK && why != GUARD_WHY_ALLOW))
			why = entry->why;
		if (entry->why <= GUARD_WHY_GEO && entry->prefix.bits > longest) {
			longest = entry->prefix.bits;
			place = entry->why;
		}
	}
	return why ? why : place;
}

/* Crowded into some networks, so that they lie in each other. */
static struct prefix random_prefix(struct rng *rng, sa_family_t family)
{
	struct address address = {.len = sizeof(address.v6)};
	struct prefix prefix;

	address.sa.sa_family = family;
	if (family == AF_INET) {
		address.v4.sin_addr.s_addr = htonl(0x0a000000u | (rng_next(rng) & 0x1ffffu));
		assert_true(prefix_of(&address, (uint8_t)(14 + rng_next(rng) % 19), &prefix));
	} else {
		address.v6.sin6_addr.s6_addr[0] = 0x20;
		address.v6.sin6_addr.s6_addr[5] = (uint8_t)rng_next(rng);
		address.v6.sin6_addr.s6_addr[15] = (uint8_t)(rng_next(rng) & 15);
		assert_true(prefix_of(&address, (uint8_t)(rng_next(rng) % 129), &prefix));
	}
	return prefix;
}

static void assert_all_agree(const struct guard_list *list, const struct guard_table *table,
			     const struct guard_line *lines, const struct guard_list6 *list6,
			     const struct address *address)
{
	enum guard_why expected = walk(list, address);

	assert_int_equal(guard_table_look(table, address), expected);
	if (address->sa.sa_family == AF_INET6)
		assert_int_equal(look6(list6, address->v6.sin6_addr.s6_addr), expected);
	else if (lines)
		assert_int_equal(look4(lines, ntohl(address->v4.sin_addr.s_addr)), expected);
}

static void check_list(struct rng *rng, sa_family_t family)
{
	struct guard_list list = {};
	struct guard_table *table;
	struct guard_line *lines = NULL;
	struct guard_list6 list6 = {};
	size_t count = 1 + rng_next(rng) % 30, nlines;

	for (size_t i = 0; i < count; i++) {
		struct guard_entry entry = {.prefix = random_prefix(rng, family)};
		bool is_new = true;

		/* Two places of the same network have no order. */
		for (size_t j = 0; j < i; j++)
			is_new &= memcmp(&list.entries[j].prefix, &entry.prefix,
					 sizeof(entry.prefix)) != 0;
		entry.why = (uint8_t)(rng_next(rng) % 4);
		if (is_new || entry.why >= GUARD_WHY_BLOCK)
			guard_list_add(&list, &entry);
		else
			i--, count--;
	}
	table = table_of(&list, 0);
	assert_int_equal(guard_list6_new(table, rng_next(rng), &list6), 0);
	nlines = guard_table_lines(table);
	if (nlines) {
		lines = calloc(nlines, sizeof(*lines));
		assert_non_null(lines);
		guard_table_fill(table, lines);
	}
	for (int i = 0; i < 300; i++) {
		struct prefix prefix = random_prefix(rng, family);
		struct address address = {.len = sizeof(address.v6)};

		address.sa.sa_family = family;
		if (family == AF_INET)
			memcpy(&address.v4.sin_addr, prefix.ip, 4);
		else
			memcpy(&address.v6.sin6_addr, prefix.ip, 16);
		assert_all_agree(&list, table, lines, &list6, &address);
	}
	free(lines);
	guard_list6_done(&list6);
	guard_table_free(table);
	guard_list_done(&list);
}

static void every_look_says_what_the_list_says(void **state)
{
	struct rng rng;

	(void)state;
	rng_seed(&rng, 5);
	for (int i = 0; i < 100; i++) {
		check_list(&rng, AF_INET);
		check_list(&rng, AF_INET6);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allow_wins_then_block_then_the_longest_place),
		cmocka_unit_test(all_of_ipv6_is_none_of_ipv4),
		cmocka_unit_test(expired_entries_are_left_out),
		cmocka_unit_test(crowded_networks_have_every_answer),
		cmocka_unit_test(unix_addresses_are_in_no_list),
		cmocka_unit_test(every_look_says_what_the_list_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
