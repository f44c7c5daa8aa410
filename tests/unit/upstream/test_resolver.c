// SPDX-License-Identifier: Apache-2.0
/*
 * The resolver against a DNS server on the same loop. The waits between lookups are noted and cut
 * short, so that hours pass in milliseconds.
 */
#include "upstream/resolver.h"

#include "dns_fixture.h"
#include "loop_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* --- The owner of a name ------------------------------------------------------------- */

static struct io_loop *loop;
static struct resolver *resolver;
static struct resolver_name name;
static char known[256]; /* the addresses, in their order */
static unsigned nchanges, nfailures, ndenials;
static int refusal;
static uint64_t delays[16];
static size_t ndelays, rounds;

void __real_io_timer_start(struct io_loop *on, struct io_timer *timer, uint64_t delay_ms);
void __wrap_io_timer_start(struct io_loop *on, struct io_timer *timer, uint64_t delay_ms);

/* One round: until the name's next lookup is set. */
void __wrap_io_timer_start(struct io_loop *on, struct io_timer *timer, uint64_t delay_ms)
{
	if (timer != &name.timer || delay_ms == 0) {
		__real_io_timer_start(on, timer, delay_ms);
		return;
	}
	assert_true(ndelays < ARRAY_SIZE(delays));
	delays[ndelays++] = delay_ms;
	__real_io_timer_start(on, timer, 1);
	if (ndelays == rounds)
		io_loop_stop(on);
}

static int on_addresses(struct resolver_name *of, const struct address_set *set)
{
	char text[ADDRESS_TEXT_SIZE];

	assert_ptr_equal(of, &name);
	nchanges++;
	known[0] = '\0';
	for (size_t i = 0; i < set->count; i++) {
		strcat(known, i ? " " : "");
		strcat(known, address_format(&set->items[i], text));
	}
	return refusal;
}

static void on_failed(struct resolver_name *of, const char *reason, bool is_denied)
{
	assert_ptr_equal(of, &name);
	assert_non_null(reason);
	nfailures++;
	ndenials += is_denied;
}

static int set_up(void **state)
{
	static const struct resolver_ops ops = {.on_addresses = on_addresses,
						.on_failed = on_failed};
	struct resolver_options options = {};

	(void)state;
	loop = fixture_loop();
	dns_start(loop);
	options.servers = dns.csv;
	name = (struct resolver_name){
		.host = "api.test", .port = 80, .hold_ms = 30000, .ops = &ops};
	known[0] = '\0';
	nchanges = nfailures = ndenials = 0;
	refusal = 0;
	ndelays = rounds = 0;
	assert_int_equal(resolver_new(loop, &options, &resolver), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	resolver_free(resolver);
	dns_stop();
	io_loop_free(loop);
	return 0;
}

/* Lets @n more lookups end. */
static void look_up(size_t n)
{
	rounds = ndelays + n;
	if (!name.resolver)
		resolver_add(resolver, &name);
	fixture_run(loop);
}

/* --- Tests --------------------------------------------------------------------------- */

static void all_records_of_both_families_count(void **state)
{
	(void)state;
	dns.a = (struct dns_records){.texts = {"192.0.2.2", "192.0.2.1"}};
	dns.aaaa = (struct dns_records){.texts = {"2001:db8::1"}};
	look_up(1);
	assert_string_equal(known, "192.0.2.1:80 192.0.2.2:80 [2001:db8::1]:80");
	assert_int_equal(delays[0], 7000);
}

static void addresses_follow_the_zone_by_ttl(void **state)
{
	(void)state;
	dns.a = (struct dns_records){.texts = {"192.0.2.1", "192.0.2.2"}};
	look_up(1);
	dns.a = (struct dns_records){.texts = {"192.0.2.2", "192.0.2.3"}};
	look_up(1);
	assert_string_equal(known, "192.0.2.2:80 192.0.2.3:80");
	assert_int_equal(nchanges, 2);
}

static void another_order_is_no_change(void **state)
{
	(void)state;
	dns.a = (struct dns_records){.texts = {"192.0.2.1", "192.0.2.2"}};
	look_up(1);
	dns.a = (struct dns_records){.texts = {"192.0.2.2", "192.0.2.1", "192.0.2.2"}};
	look_up(2);
	assert_int_equal(nchanges, 1);
}

static void ttl_is_kept_within_bounds(void **state)
{
	(void)state;
	dns.a = (struct dns_records){.texts = {"192.0.2.1"}};
	dns.ttl_s = 0;
	look_up(1);
	assert_int_equal(delays[0], RESOLVER_TTL_MIN_MS);
	dns.ttl_s = 1000000;
	look_up(1);
	assert_int_equal(delays[1], RESOLVER_TTL_MAX_MS);
}

static void failure_keeps_the_last_good_answer(void **state)
{
	(void)state;
	dns.a = (struct dns_records){.texts = {"192.0.2.1"}};
	look_up(1);
	dns.a.rcode = dns.aaaa.rcode = DNS_SERVFAIL;
	look_up(3);
	assert_string_equal(known, "192.0.2.1:80");
	assert_int_equal(nchanges, 1);
	assert_int_equal(nfailures, 1);
	assert_int_equal(ndenials, 0);
	/* Partial answers are used as they are, so nothing is new and nothing to complain of. */
	dns.a.rcode = dns.aaaa.rcode = DNS_OK;
	look_up(1);
	assert_int_equal(nchanges, 1);
	assert_int_equal(delays[4], 7000);
}

static void tries_after_failures_come_ever_later(void **state)
{
	static const uint64_t expected[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};

	(void)state;
	dns.a.rcode = dns.aaaa.rcode = DNS_SERVFAIL;
	look_up(ARRAY_SIZE(expected));
	assert_memory_equal(delays, expected, sizeof(expected));
	assert_int_equal(nfailures, 1);
	assert_int_equal(nchanges, 0);
}

static void name_that_vanishes_keeps_its_addresses_for_the_hold(void **state)
{
	static const uint64_t expected[] = {1000, 2000, 4000, 8000, 15000, 32000};

	(void)state;
	dns.a = (struct dns_records){.texts = {"192.0.2.1"}};
	look_up(1);
	dns.a.rcode = dns.aaaa.rcode = DNS_NXDOMAIN;
	look_up(5);
	assert_string_equal(known, "192.0.2.1:80");
	assert_int_equal(nfailures, 1);
	assert_int_equal(ndenials, 1);
	/* It is asked for when the 30 s are over, and gone. */
	look_up(1);
	assert_string_equal(known, "");
	assert_int_equal(nchanges, 2);
	assert_memory_equal(delays + 1, expected, sizeof(expected));
	look_up(1);
	assert_int_equal(nchanges, 2);
	/* And comes back with the very address that it had. */
	dns.a.rcode = DNS_OK;
	look_up(1);
	assert_string_equal(known, "192.0.2.1:80");
	dns.a.rcode = DNS_NXDOMAIN;
	look_up(1);
	assert_string_equal(known, "192.0.2.1:80");
	assert_int_equal(ndenials, 2);
}

static void failures_during_the_hold_take_no_address(void **state)
{
	(void)state;
	dns.a = (struct dns_records){.texts = {"192.0.2.1"}};
	look_up(1);
	dns.a.rcode = dns.aaaa.rcode = DNS_NXDOMAIN;
	look_up(1);
	dns.a.rcode = dns.aaaa.rcode = DNS_SERVFAIL;
	look_up(8);
	assert_string_equal(known, "192.0.2.1:80");
	/* It has been said to be gone for longer than that, and is again. */
	dns.a.rcode = dns.aaaa.rcode = DNS_NXDOMAIN;
	look_up(1);
	assert_string_equal(known, "");
	/* A family that fails has nothing to bring back. */
	dns.aaaa.rcode = DNS_OK;
	dns.a.rcode = DNS_SERVFAIL;
	look_up(1);
	assert_string_equal(known, "");
}

static void failure_that_becomes_a_denial_is_news(void **state)
{
	(void)state;
	dns.a = (struct dns_records){.texts = {"192.0.2.1"}};
	look_up(1);
	dns.a.rcode = dns.aaaa.rcode = DNS_SERVFAIL;
	look_up(2);
	assert_int_equal(nfailures, 1);
	dns.a.rcode = dns.aaaa.rcode = DNS_NXDOMAIN;
	look_up(2);
	assert_int_equal(nfailures, 2);
	assert_int_equal(ndenials, 1);
}

static void name_that_vanishes_without_a_hold_is_gone_at_once(void **state)
{
	(void)state;
	name.hold_ms = 0;
	dns.a = (struct dns_records){.texts = {"192.0.2.1"}};
	look_up(1);
	dns.a.rcode = dns.aaaa.rcode = DNS_NXDOMAIN;
	look_up(1);
	assert_string_equal(known, "");
}

static void one_familys_failure_does_not_touch_the_other(void **state)
{
	(void)state;
	dns.a = (struct dns_records){.texts = {"192.0.2.1"}};
	dns.aaaa = (struct dns_records){.texts = {"2001:db8::1"}};
	look_up(1);
	dns.a = (struct dns_records){.texts = {"192.0.2.9"}};
	dns.aaaa.rcode = DNS_SERVFAIL;
	look_up(1);
	assert_string_equal(known, "192.0.2.9:80 [2001:db8::1]:80");
	/* Sooner than the TTL, for half of the answer is old. */
	assert_int_equal(delays[1], 1000);
	assert_int_equal(nfailures, 0);
}

static void family_without_records_any_more_loses_its_addresses(void **state)
{
	(void)state;
	dns.a = (struct dns_records){.texts = {"192.0.2.1"}};
	dns.aaaa = (struct dns_records){.texts = {"2001:db8::1"}};
	look_up(1);
	dns.aaaa = (struct dns_records){};
	look_up(1);
	assert_string_equal(known, "192.0.2.1:80");
}

static void refused_addresses_are_offered_again(void **state)
{
	(void)state;
	dns.a = (struct dns_records){.texts = {"192.0.2.1"}};
	refusal = -ENOMEM;
	look_up(1);
	assert_int_equal(delays[0], 1000);
	refusal = 0;
	look_up(1);
	assert_int_equal(nchanges, 2);
	look_up(1);
	assert_int_equal(nchanges, 2);
}

/* A name that /etc/hosts has with an IPv4 address; localhost has rules of its own. */
static bool find_hosts_entry(char address[64], char host[256])
{
	FILE *file = fopen("/etc/hosts", "re");
	char line[512];
	bool is_found = false;

	while (file && !is_found && fgets(line, sizeof(line), file))
		is_found = sscanf(line, "%63[0-9.] %255s", address, host) == 2 &&
			   strncmp(host, "localhost", 9) != 0;
	if (file)
		fclose(file);
	return is_found;
}

static void hosts_file_works(void **state)
{
	char address[64], host[256];

	(void)state;
	if (!find_hosts_entry(address, host))
		skip();
	name.host = host;
	look_up(1);
	assert_non_null(strstr(known, address));
}

static void on_tick(struct io_timer *timer)
{
	(void)timer;
	io_loop_stop(loop);
}

static void resolver_can_be_freed_with_questions_in_flight(void **state)
{
	struct io_timer tick = {.on_expire = on_tick};

	(void)state;
	dns.is_silent = true;
	resolver_add(resolver, &name);
	while (dns.questions < 2) {
		io_timer_start(loop, &tick, 1);
		fixture_run(loop);
	}
	/* tear_down() frees it; nothing may be called back or leak. */
	assert_int_equal(nfailures, 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(all_records_of_both_families_count),
		TEST(addresses_follow_the_zone_by_ttl),
		TEST(another_order_is_no_change),
		TEST(ttl_is_kept_within_bounds),
		TEST(failure_keeps_the_last_good_answer),
		TEST(tries_after_failures_come_ever_later),
		TEST(name_that_vanishes_keeps_its_addresses_for_the_hold),
		TEST(failures_during_the_hold_take_no_address),
		TEST(failure_that_becomes_a_denial_is_news),
		TEST(name_that_vanishes_without_a_hold_is_gone_at_once),
		TEST(one_familys_failure_does_not_touch_the_other),
		TEST(family_without_records_any_more_loses_its_addresses),
		TEST(refused_addresses_are_offered_again),
		TEST(hosts_file_works),
		TEST(resolver_can_be_freed_with_questions_in_flight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
