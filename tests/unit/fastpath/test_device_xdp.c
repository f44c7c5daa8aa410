// SPDX-License-Identifier: Apache-2.0
#include "core/compiler.h"
#include "fastpath/fastpath_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void driver_and_configuration_decide_on_xdp(void **state)
{
	static const struct {
		struct device_xdp device;
		enum splice_hook hook;
		bool is_xdp;
	} cases[] = {
		{{.driver = "ice", .can_redirect = true}, SPLICE_HOOK_AUTO, true},
		{{.driver = "ice", .can_redirect = true}, SPLICE_HOOK_TC, false},
		{{.driver = "bridge"}, SPLICE_HOOK_AUTO, false},
		{{.driver = "bridge"}, SPLICE_HOOK_XDP, true}, /* the driver is asked */
		{{.driver = "veth", .can_redirect = true}, SPLICE_HOOK_AUTO, false},
		{{.driver = "veth", .can_redirect = true}, SPLICE_HOOK_XDP, true},
		{{.driver = "virtio_net", .can_redirect = true}, SPLICE_HOOK_AUTO, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(!device_xdp_obstacle(&cases[i].device, cases[i].hook),
				 cases[i].is_xdp);
}

static void device_that_is_gone_can_do_nothing(void **state)
{
	struct device_xdp device;

	(void)state;
	device_xdp_query(0x7ffffffe, &device);
	assert_string_equal(device.driver, "");
	assert_false(device.can_redirect || device.can_send);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(driver_and_configuration_decide_on_xdp),
		cmocka_unit_test(device_that_is_gone_can_do_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
