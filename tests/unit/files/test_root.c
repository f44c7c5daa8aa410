// SPDX-License-Identifier: Apache-2.0
#include "core/compiler.h"
#include "files/cache.h"
#include "files/root.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

struct place {
	char path[64];
	struct file_root *root, *strict;
};

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	assert_non_null(place);
	snprintf(place->path, sizeof(place->path), "/tmp/sluice-root-XXXXXX");
	assert_non_null(mkdtemp(place->path));
	assert_int_equal(chdir(place->path), 0);
	assert_int_equal(mkdir("www", 0700), 0);
	assert_int_equal(mkdir("www/dir", 0700), 0);
	write_file("outside", "x");
	write_file("www/a", "12345");
	assert_int_equal(symlink("a", "www/in"), 0);
	assert_int_equal(symlink("../outside", "www/out"), 0);
	assert_int_equal(symlink("/etc/passwd", "www/absolute"), 0);
	assert_int_equal(mkfifo("www/fifo", 0600), 0);
	assert_int_equal(file_root_open("www", true, &place->root), 0);
	assert_int_equal(file_root_open("www", false, &place->strict), 0);
	*state = place;
	return 0;
}

static int teardown(void **state)
{
	static const char *const files[] = {"www/a",        "www/in",   "www/out",
					    "www/absolute", "www/fifo", "outside"};
	struct place *place = *state;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		assert_int_equal(unlink(files[i]), 0);
	assert_int_equal(rmdir("www/dir"), 0);
	assert_int_equal(rmdir("www"), 0);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(place->path), 0);
	file_root_unref(place->root);
	file_root_unref(place->strict);
	free(place);
	return 0;
}

static int get(const struct file_root *root, const char *name)
{
	struct file file = {.fd = -1};
	int err = file_root_get(root, name, true, &file);

	if (!err && file.fd >= 0)
		close(file.fd);
	return err;
}

static void file_is_described(void **state)
{
	struct place *place = *state;
	struct file file;

	assert_int_equal(file_root_get(place->root, "a", true, &file), 0);
	assert_false(file.is_directory);
	assert_int_equal(file.size, 5);
	assert_true(file.modified > 0);
	assert_true(fcntl(file.fd, F_GETFD) & FD_CLOEXEC);
	close(file.fd);
	assert_int_equal(file_root_get(place->root, "dir", true, &file), 0);
	assert_true(file.is_directory);
	assert_int_equal(file_root_get(place->root, "", true, &file), 0);
	assert_true(file.is_directory);
}

static void nothing_outside_is_reached(void **state)
{
	struct place *place = *state;

	assert_int_equal(get(place->root, "../outside"), -EXDEV);
	assert_int_equal(get(place->root, "dir/../../outside"), -EXDEV);
	assert_int_equal(get(place->root, "/etc/passwd"), -EXDEV);
	assert_int_equal(get(place->root, "out"), -EXDEV);
	assert_int_equal(get(place->root, "absolute"), -EXDEV);
	assert_int_equal(get(place->root, "in"), 0);
	assert_int_equal(get(place->strict, "in"), -ELOOP);
	assert_int_equal(get(place->strict, "a"), 0);
}

static void what_is_no_file_is_not_there(void **state)
{
	struct place *place = *state;

	assert_int_equal(get(place->root, "fifo"), -ENOENT);
	assert_int_equal(get(place->root, "none"), -ENOENT);
	assert_int_equal(get(place->root, "a/b"), -ENOTDIR);
}

static void root_must_be_a_directory(void **state)
{
	struct file_root *root = NULL;

	(void)state;
	assert_int_equal(file_root_open("www/a", true, &root), -ENOTDIR);
	assert_int_equal(file_root_open("none", true, &root), -ENOENT);
}

static struct file_entry *add(struct file_cache *cache, struct file_root *root, const char *name,
			      uint64_t until)
{
	struct file file;
	int err = file_root_get(root, name, true, &file);
	struct file_entry *entry = file_cache_add(cache, root, name, err, &file, until);

	assert_non_null(entry);
	return entry;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void cache_forgets_what_is_old_and_what_was_used_least(void **state)
{
	struct place *place = *state;
	struct file_cache *cache = file_cache_new(2);
	struct file_entry *a = add(cache, place->root, "a", 100), *found;
	int fd = a->file.fd;

	file_entry_unref(a);
	file_entry_unref(add(cache, place->root, "none", 100));
	found = file_cache_find(cache, place->root, "none", 99);
	assert_int_equal(found->err, -ENOENT);
	file_entry_unref(found);
	found = file_cache_find(cache, place->root, "a", 99);
	assert_ptr_equal(found, a);
	file_entry_unref(found);
	assert_null(file_cache_find(cache, place->strict, "a", 99));
	file_entry_unref(add(cache, place->root, "dir", 100));
	assert_null(file_cache_find(cache, place->root, "none", 99));
	assert_true(is_open(fd));
	assert_null(file_cache_find(cache, place->root, "a", 100));
	assert_false(is_open(fd));
	file_cache_free(cache);
}

static void descriptor_stays_while_somebody_uses_it(void **state)
{
	struct place *place = *state;
	struct file_cache *cache = file_cache_new(1);
	struct file_entry *a = add(cache, place->root, "a", 100);

	file_entry_unref(add(cache, place->root, "a", 200));
	file_entry_unref(add(cache, place->root, "none", 100));
	assert_true(is_open(a->file.fd));
	file_entry_unref(a);
	file_cache_free(cache);
}

static void descriptors_of_old_entries_are_closed(void **state)
{
	struct place *place = *state;
	struct file_cache *cache = file_cache_new(4);
	struct file_entry *old = add(cache, place->root, "a", 100);
	struct file_entry *young = add(cache, place->root, "in", 200);
	int fds[] = {old->file.fd, young->file.fd};

	file_entry_unref(old);
	file_entry_unref(young);
	file_cache_tend(cache, 99);
	assert_true(is_open(fds[0]));
	file_cache_tend(cache, 100);
	assert_false(is_open(fds[0]));
	assert_true(is_open(fds[1]));
	file_cache_tend(cache, 200);
	assert_false(is_open(fds[1]));
	assert_null(file_cache_find(cache, place->root, "in", 0));
	file_cache_free(cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(file_is_described),
		TEST(nothing_outside_is_reached),
		TEST(what_is_no_file_is_not_there),
		TEST(root_must_be_a_directory),
		TEST(cache_forgets_what_is_old_and_what_was_used_least),
		TEST(descriptor_stays_while_somebody_uses_it),
		TEST(descriptors_of_old_entries_are_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
