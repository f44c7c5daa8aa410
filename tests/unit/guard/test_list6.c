// SPDX-License-Identifier: Apache-2.0
// Pages of IPv6 must say of every address what the longest network that it is in says.
#include "core/compiler.h"
#include "core/rng.h"
#include "guard/list6.h"
#include "guard/table.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "look6.h"

static struct guard_table *table_of(struct guard_list *list)
{
	struct guard_table *table = NULL;

	assert_int_equal(guard_table_new(list, 0, &table), 0);
	return table;
}

static void put_word(uint32_t word, uint8_t ret[4])
{
	const uint32_t be = htonl(word);

	memcpy(ret, &be, sizeof(be));
}

/* --- Against a walk through the networks -------------------------------------------------------*/

static void put_half(uint64_t half, uint8_t ret[8])
{
	put_word((uint32_t)(half >> 32), ret);
	put_word((uint32_t)half, ret + 4);
}

static bool contains(const struct guard_network6 *network, const uint64_t address[2])
{
	unsigned __int128 difference = (unsigned __int128)(network->address[0] ^ address[0]) << 64 |
				       (network->address[1] ^ address[1]);

	return !network->bits || !(difference >> (128 - network->bits));
}

static enum guard_why longest(const struct guard_network6 *networks, size_t count,
			      const uint64_t address[2])
{
	const struct guard_network6 *found = NULL;

	for (size_t i = 0; i < count; i++)
		if (contains(&networks[i], address) && (!found || networks[i].bits > found->bits))
			found = &networks[i];
	return found ? (enum guard_why)found->why : GUARD_WHY_NONE;
}

static void check_address(const struct guard_table *table, const struct guard_list6 *list6,
			  uint64_t upper, uint64_t lower)
{
	const uint64_t address[2] = {upper, lower};
	size_t count;
	const struct guard_network6 *networks = guard_table_networks6(table, &count);
	enum guard_why expected = longest(networks, count, address), why;
	uint8_t ip[16];

	put_half(upper, ip);
	put_half(lower, ip + 8);
	why = look6(list6, ip);
	if (why != expected)
		fail_msg("%016llx%016llx: %d, not %d", (unsigned long long)upper,
			 (unsigned long long)lower, why, expected);
}

/* The first address of each network, the last one, and those beside them. */
static void check_edges(const struct guard_table *table, const struct guard_list6 *list6)
{
	size_t count;
	const struct guard_network6 *networks = guard_table_networks6(table, &count);

	for (size_t i = 0; i < count; i++) {
		const unsigned __int128 first = (unsigned __int128)networks[i].address[0] << 64 |
						networks[i].address[1],
					all = ~(unsigned __int128)0,
					last = first |
					       (networks[i].bits < 128 ? all >> networks[i].bits
								       : 0);
		const unsigned __int128 edges[] = {first - 1, first, last, last + 1};

		for (size_t edge = 0; edge < ARRAY_SIZE(edges); edge++)
			check_address(table, list6, (uint64_t)(edges[edge] >> 64),
				      (uint64_t)edges[edge]);
	}
}

/* Few values in few places, so that networks lie in each other and beside each other. */
static struct prefix crowded_prefix(struct rng *rng, const uint8_t *lengths, size_t nlengths)
{
	struct address address = {.len = sizeof(address.v6)};
	uint8_t *ip = address.v6.sin6_addr.s6_addr;
	struct prefix prefix;

	address.sa.sa_family = AF_INET6;
	ip[0] = 0x20;
	ip[3] = (uint8_t)(rng_next(rng) & 3);
	ip[5] = (uint8_t)(rng_next(rng) & 15);
	ip[7] = (uint8_t)(rng_next(rng) & 15);
	ip[11] = (uint8_t)(rng_next(rng) & 3);
	ip[15] = (uint8_t)(rng_next(rng) & 15);
	assert_true(prefix_of(&address, lengths[rng_next(rng) % nlengths], &prefix));
	return prefix;
}

static void check_random(struct rng *rng, const uint8_t *lengths, size_t nlengths, size_t count)
{
	struct guard_list list = {};
	struct guard_list6 list6 = {};
	struct guard_table *table;

	for (size_t i = 0; i < count; i++) {
		const struct guard_entry entry = {.prefix = crowded_prefix(rng, lengths, nlengths),
						  .why = (uint8_t)(rng_next(rng) % 4)};

		guard_list_add(&list, &entry);
	}
	table = table_of(&list);
	assert_int_equal(guard_list6_new(table, rng_next(rng), &list6), 0);
	check_edges(table, &list6);
	for (int i = 0; i < 500; i++)
		check_address(table, &list6, rng_next(rng), rng_next(rng));
	guard_list6_done(&list6);
	guard_table_free(table);
	guard_list_done(&list);
}

static void random_lists_say_what_the_longest_network_says(void **state)
{
	static const uint8_t one[] = {64}, two[] = {64, 128}, few[] = {32, 48, 56, 64},
			     halves[] = {63, 64, 65, 66}, listed[] = {29, 32, 40, 48, 64, 96, 128},
			     halved[] = {20, 29, 32, 36, 40, 44, 48, 56, 64, 96, 112, 128};
	uint8_t all[129];
	struct rng rng;

	(void)state;
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)i;
	rng_seed(&rng, 11);
	for (int i = 0; i < 8; i++) {
		check_random(&rng, one, sizeof(one), 600);
		check_random(&rng, two, sizeof(two), 600);
		check_random(&rng, few, sizeof(few), 600);
		check_random(&rng, halves, sizeof(halves), 600);
		check_random(&rng, listed, sizeof(listed), 600);
		check_random(&rng, halved, sizeof(halved), 600);
		check_random(&rng, all, sizeof(all), 1 + rng_next(&rng) % 900);
	}
}

/* --- Crowds ------------------------------------------------------------------------------------*/

static size_t count_guests(const struct guard_list6 *list6, bool is_long)
{
	const struct guard_region6 *region = &list6->pages->head.regions[is_long];
	size_t guests = 0;

	for (uint32_t line = region->first; line < region->first + (1u << region->bits); line++)
		for (size_t i = 0; i < GUARD_LINE_WORDS / (is_long ? 2 : 1); i++)
			guests += !!(list6->pages[line / GUARD_PAGE_LINES]
					     .lines[line % GUARD_PAGE_LINES][i] &
				     GUARD_SLOT_GUEST);
	return guests;
}

/* Many more than fit into lines without guests; each asked, and so is who is beside it. */
static void check_crowd(unsigned bits, uint32_t count)
{
	struct guard_entry entry = {.prefix = {.family = AF_INET6, .bits = (uint8_t)bits}};
	struct guard_list list = {};
	struct guard_list6 list6 = {};
	struct guard_table *table;

	for (uint32_t i = 0; i < count; i++) {
		entry.why = (uint8_t)(1 + i % 3);
		put_word(0x20010db8, entry.prefix.ip);
		put_word(2 * i, entry.prefix.ip + bits / 8 - 4);
		guard_list_add(&list, &entry);
	}
	table = table_of(&list);
	assert_int_equal(guard_list6_new(table, 3, &list6), 0);
	for (uint32_t i = 0; i < 2 * count; i++) {
		uint8_t ip[16] = {};

		put_word(0x20010db8, ip);
		put_word(i, ip + bits / 8 - 4);
		assert_int_equal(look6(&list6, ip), i % 2 ? GUARD_WHY_NONE : 1 + i / 2 % 3);
	}
	assert_true(count_guests(&list6, bits > 64) > 0);
	/* Of 8 or 16 bytes a key lines that are five sixteenths full. */
	assert_true((list6.npages - 1) * sizeof(*list6.pages) <
		    (size_t)count * (bits > 64 ? 16 : 8) * 16 / 5 + sizeof(*list6.pages));
	guard_list6_done(&list6);
	guard_table_free(table);
	guard_list_done(&list);
}

static void crowds_have_every_answer(void **state)
{
	(void)state;
	check_crowd(64, 45000);
	check_crowd(64, 81900);
	check_crowd(128, 40900);
	check_crowd(96, 21000);
}

static void every_length_is_found(void **state)
{
	struct guard_list list = {};
	struct guard_list6 list6 = {};
	struct guard_table *table;

	(void)state;
	for (uint8_t bits = 0; bits <= 128; bits++) {
		struct guard_entry entry = {.prefix = {.family = AF_INET6, .bits = bits}};

		/* In each other, and an answer that is not the one around it. */
		entry.why = bits % 2 ? GUARD_WHY_GEO : GUARD_WHY_NONE;
		for (unsigned bit = 0; bit < bits; bit += 3)
			entry.prefix.ip[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
		guard_list_add(&list, &entry);
	}
	table = table_of(&list);
	assert_int_equal(guard_list6_new(table, 3, &list6), 0);
	assert_int_equal(list6.pages->head.nlengths, 128);
	for (unsigned bits = 0; bits <= 128; bits++) {
		uint8_t ip[16] = {};

		for (unsigned bit = 0; bit < 128; bit++)
			if ((bit % 3 == 0) != (bit == bits))
				ip[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
		assert_int_equal(look6(&list6, ip), bits % 2 ? GUARD_WHY_GEO : GUARD_WHY_NONE);
	}
	guard_list6_done(&list6);
	guard_table_free(table);
	guard_list_done(&list);
}

/* --- The first page ----------------------------------------------------------------------------*/

static void list_numbers(struct guard_list6 *list6, uint32_t count, uint8_t bits)
{
	struct guard_entry entry = {.prefix = {.family = AF_INET6, .bits = bits},
				    .why = GUARD_WHY_BLOCK};
	struct guard_list list = {};
	struct guard_table *table;

	for (uint32_t i = 0; i < count; i++) {
		put_word(i, entry.prefix.ip + 4);
		guard_list_add(&list, &entry);
	}
	table = table_of(&list);
	assert_int_equal(guard_list6_new(table, 5, list6), 0);
	guard_table_free(table);
	guard_list_done(&list);
}

static void few_networks_are_all_in_the_first_page(void **state)
{
	struct guard_list6 list6;

	(void)state;
	list_numbers(&list6, 1, 64);
	assert_int_equal(list6.npages, 1);
	guard_list6_done(&list6);
	list_numbers(&list6, 10000, 64);
	assert_int_equal(list6.npages, 1);
	guard_list6_done(&list6);
	list_numbers(&list6, 20000, 128);
	assert_true(list6.npages > 1);
	guard_list6_done(&list6);
}

/* By 8 bits a key and more, three of them a key's own. */
static void filter_rules_out_nearly_all_who_are_not_listed(void **state)
{
	static const uint32_t counts[] = {1, 1000, 10000, 200000};
	struct guard_list6 list6;
	struct guard_key6 key;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		unsigned nfound = 0;

		list_numbers(&list6, counts[i], 64);
		for (uint32_t number = 0; number < 10000; number++) {
			const __u64 address[2] = {1ULL << 32 | number, 0};

			guard_key6(&list6.pages->head, address, 64, &key);
			nfound += guard_filter_has(list6.pages, &key);
		}
		assert_true(nfound < 1000);
		guard_list6_done(&list6);
	}
}

/* --- More than there is room for ---------------------------------------------------------------*/

#define CHUNK ((size_t)8192) /* networks; whole pages of memory */

static const struct guard_network6 *offered;
static size_t noffered;

const struct guard_network6 *__real_guard_table_networks6(const struct guard_table *table,
							  size_t *ret_count);
const struct guard_network6 *__wrap_guard_table_networks6(const struct guard_table *table,
							  size_t *ret_count);

const struct guard_network6 *__wrap_guard_table_networks6(const struct guard_table *table,
							  size_t *ret_count)
{
	if (!offered)
		return __real_guard_table_networks6(table, ret_count);
	*ret_count = noffered;
	return offered;
}

/* The same ones again and again, in the memory of CHUNK: that there are so many is seen before
 * where they are. */
static struct guard_network6 *map_networks(int fd, size_t count)
{
	const size_t size = CHUNK * sizeof(struct guard_network6), nchunks = count / CHUNK + 1;
	char *all = mmap(NULL, nchunks * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(all != MAP_FAILED);
	for (size_t i = 0; i < nchunks; i++)
		assert_true(mmap(all + i * size, size, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) !=
			    MAP_FAILED);
	return (void *)all;
}

static void refuse_more_than(size_t count, uint8_t bits)
{
	const struct guard_network6 network = {
		.address = {1}, .bits = bits, .why = GUARD_WHY_BLOCK};
	struct guard_list6 list6 = {.npages = 1};
	int fd = memfd_create("networks", MFD_CLOEXEC);
	struct guard_network6 *networks;

	assert_true(fd >= 0);
	for (size_t i = 0; i < CHUNK; i++)
		assert_int_equal(write(fd, &network, sizeof(network)), sizeof(network));
	networks = map_networks(fd, count + 1);
	offered = networks;
	noffered = count + 1;
	assert_int_equal(guard_list6_new(NULL, 1, &list6), -E2BIG);
	assert_int_equal(list6.npages, 1);
	offered = NULL;
	munmap(networks, ((count + 1) / CHUNK + 1) * CHUNK * sizeof(network));
	close(fd);
}

/* Of 256 MiB five eighths are used at most, by 8 bytes or 16. */
static void more_than_fit_are_refused_before_memory_is_taken(void **state)
{
	const size_t bytes = (size_t)256 << 20;

	(void)state;
	refuse_more_than(bytes / 8 / 8 * 5, 64);
	refuse_more_than(bytes / 16 / 8 * 5, 65);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_lists_say_what_the_longest_network_says),
		cmocka_unit_test(crowds_have_every_answer),
		cmocka_unit_test(every_length_is_found),
		cmocka_unit_test(few_networks_are_all_in_the_first_page),
		cmocka_unit_test(filter_rules_out_nearly_all_who_are_not_listed),
		cmocka_unit_test(more_than_fit_are_refused_before_memory_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
