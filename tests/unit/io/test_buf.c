// SPDX-License-Identifier: Apache-2.0
#include "io/io_internal.h"
#include "unit/io/io_fixture.h"

static void pool_gives_each_buffer_once_and_the_warmest_first(void **state)
{
	const struct io_options options = {.buffer_size = 100, .buffer_count = 3};
	struct io_loop loop = {};
	struct io_buf *bufs[3];

	(void)state;
	assert_int_equal(io_buf_pools_init(loop.pools, &options), 0);
	for (int i = 0; i < 3; i++) {
		bufs[i] = io_buf_take(&loop.pools[IO_POOL_SMALL]);
		assert_non_null(bufs[i]);
		assert_int_equal(bufs[i]->cap, 100);
		memset(bufs[i]->base, i, 100);
	}
	assert_null(io_buf_take(&loop.pools[IO_POOL_SMALL]));
	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 100; j++)
			assert_int_equal(bufs[i]->base[j], i);
	bufs[1]->end = 50;
	io_buf_release(&loop, bufs[0]);
	io_buf_release(&loop, bufs[1]);
	assert_ptr_equal(io_buf_take(&loop.pools[IO_POOL_SMALL]), bufs[1]);
	assert_int_equal(io_buf_bytes(bufs[1]).len, 0);
	io_buf_pools_done(loop.pools);
}

static void heap_buffers_do_not_enter_the_pool(void **state)
{
	const struct io_options options = {.buffer_count = 1};
	struct io_loop loop = {};
	struct io_buf *buf;

	(void)state;
	assert_int_equal(io_buf_pools_init(loop.pools, &options), 0);
	buf = io_buf_new(&loop, 100000);
	assert_non_null(buf);
	assert_int_equal(buf->cap, 100000);
	memset(buf->base, 1, 100000);
	io_buf_release(&loop, buf);
	io_buf_release(&loop, NULL);
	assert_int_equal(loop.pools[IO_POOL_SMALL].free_count, 1);
	io_buf_pools_done(loop.pools);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pool_gives_each_buffer_once_and_the_warmest_first),
		cmocka_unit_test(heap_buffers_do_not_enter_the_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
