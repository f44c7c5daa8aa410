// SPDX-License-Identifier: Apache-2.0
/* Each allocation fails in its turn while a file is read: it is refused, and never half of it
 * taken. */
#include "config/config.h"
#include "core/compiler.h"
#include "unit/denied_allocations.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* --- Allocations ----------------------------------------------------------------------- */

static unsigned left = UINT_MAX; /* until one fails, and only that */

static bool is_denied(void)
{
	return left != UINT_MAX && left-- == 0;
}

/* --- Files ----------------------------------------------------------------------------- */

static const char good[] =
	"workers: 2\n"
	"access_log: {path: /tmp/a.log, template: '${client_ip} ${method} "
	"${response_header:X-A}'}\n"
	"guard: {mode: monitor, block: [192.0.2.0/24, '2001:db8::/32'], allow: [192.0.2.1]}\n"
	"listeners:\n"
	"- name: web\n"
	"  bind: ['127.0.0.1:80', '[::1]:8000-8003', 'unix:/tmp/s']\n"
	"  mode: http\n"
	"  forwarding: {trust: [10.0.0.0/8], request_id: true}\n"
	"  filters: [compression, {headers: {request: {set: [{name: X-A, value: '${host}'}]}}}]\n"
	"  routes:\n"
	"  - {match: {host: ['*.a.test'], path_regex: ['^/(a|b)+$']}, split: [{pool: p, weight: 1},"
	" {pool: q, weight: 2}]}\n"
	"  - {match: {path_prefix: [/f], headers: [{name: X-B, value: [c]}]}, rewrite: {regex: "
	"'^/f(.*)$', to: "
	"'/$1'},"
	" pool: q, mirror: {pool: p}}\n"
	"  - {match: {path: [/r]}, redirect: {status: 301, host: b.test}}\n"
	"- {name: sni, bind: '127.0.0.1:81', routes: [{match: {sni: [a.test]}, pool: p}, {pool: "
	"q}]}\n"
	"pools:\n"
	"- {name: p, endpoints: ['10.0.0.1:1', {address: '10.0.0.2:2', weight: 3, zone: z}],"
	" health: {http: {path: /h, expect: 200-299}}}\n"
	"- {name: q, endpoints: [{address: 'a.test:80', resolve: dns}], balance: maglev, hash_key: "
	"{cookie: c},"
	" sticky: {cookie: s}, http: {hedge_delay: 10ms}}\n";

static const char bad[] = "listeners: [{name: l, bind: x, poll: p}]\npools: []\nworkrs: 1\n";

/* With the @nth allocation failing, from 0. Return: whether there were so many. */
static bool refuses(const char *text, unsigned nth)
{
	struct config *config = NULL;
	struct strbuf errors = {};
	bool was_denied;
	int err;

	left = nth;
	err = config_parse("t", slice_from_str(text), &config, &errors);
	was_denied = left == UINT_MAX;
	left = UINT_MAX;
	if (was_denied && err == 0)
		fail_msg("allocation %u failed, and nobody cared", nth);
	if (err)
		assert_null(config);
	config_free(config);
	strbuf_done(&errors);
	return was_denied;
}

static void a_file_is_taken_whole_or_not_at_all(void **state)
{
	struct config *config;
	struct strbuf errors = {};
	unsigned nth = 0;

	(void)state;
	if (config_parse("t", slice_from_str(good), &config, &errors) < 0)
		fail_msg("%s", errors.text);
	config_free(config);
	while (refuses(good, nth))
		nth++;
	assert_true(nth > 12);
}

static void complaints_may_lack_memory_too(void **state)
{
	unsigned nth = 0;

	(void)state;
	while (refuses(bad, nth))
		nth++;
	assert_true(nth > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_taken_whole_or_not_at_all),
		cmocka_unit_test(complaints_may_lack_memory_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
