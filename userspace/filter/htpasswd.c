// SPDX-License-Identifier: Apache-2.0
/* Users and hashes of their passwords, by libcrypt. */
#include "filter/htpasswd.h"

#include <crypt.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct slice take_line(struct slice *text)
{
	const char *end = memchr(text->ptr, '\n', text->len);
	size_t len = end ? (size_t)(end - text->ptr) : text->len;
	struct slice line = slice_of(text->ptr, len);

	*text = slice_skip(*text, len + (end ? 1 : 0));
	if (line.len && line.ptr[line.len - 1] == '\r')
		line.len--;
	return line;
}

static const char *check_hash(const char *hash)
{
	if (strlen(hash) >= HTPASSWD_HASH_SIZE)
		return "no hash that crypt(3) knows";
	switch (crypt_checksalt(hash)) {
	case CRYPT_SALT_OK:
		return NULL;
	case CRYPT_SALT_METHOD_LEGACY:
	case CRYPT_SALT_TOO_CHEAP:
		/* Old, not broken. */
		return strncmp(hash, "$5$", 3) == 0 ? NULL : "a hash that is too weak";
	default:
		return "no hash that crypt(3) knows";
	}
}

/* Return: NULL; or what is wrong. */
static const char *parse_line(struct slice line, struct arena *arena, struct htpasswd_user *ret)
{
	const char *colon = memchr(line.ptr, ':', line.len);
	struct slice hash;

	if (!colon || colon == line.ptr)
		return "no \"name:hash\"";
	ret->name = slice_of(line.ptr, (size_t)(colon - line.ptr));
	hash = slice_skip(line, ret->name.len + 1);
	ret->name.ptr = arena_strdup(arena, ret->name);
	ret->hash = arena_strdup(arena, hash);
	if (!ret->name.ptr || !ret->hash)
		return "no memory for it";
	return check_hash(ret->hash);
}

static int compare_names(struct slice a, struct slice b)
{
	int order = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);

	if (order)
		return order;
	return a.len < b.len ? -1 : a.len > b.len;
}

static int compare_users(const void *a, const void *b)
{
	return compare_names(((const struct htpasswd_user *)a)->name,
			     ((const struct htpasswd_user *)b)->name);
}

static int complain(char ret[HTPASSWD_PROBLEM_SIZE], size_t line, const char *problem)
{
	snprintf(ret, HTPASSWD_PROBLEM_SIZE,
		 "line %zu has %s; expected \"name:hash\" with bcrypt ($2y$), sha512-crypt ($6$), "
		 "sha256-crypt ($5$), scrypt ($7$) or yescrypt ($y$)",
		 line, problem);
	return -EINVAL;
}

static size_t count_lines(struct slice text)
{
	size_t count = 1;

	for (size_t i = 0; i < text.len; i++)
		count += text.ptr[i] == '\n';
	return count;
}

/* Of two users of one name it would not be clear which one is meant. */
static int sort(struct htpasswd *htpasswd, char ret_problem[HTPASSWD_PROBLEM_SIZE])
{
	struct htpasswd_user *users = htpasswd->users;

	qsort(users, htpasswd->count, sizeof(*users), compare_users);
	for (size_t i = 1; i < htpasswd->count; i++)
		if (slice_equal(users[i - 1].name, users[i].name)) {
			snprintf(ret_problem, HTPASSWD_PROBLEM_SIZE,
				 "user \"%.*s\" is there twice; expected one line of each",
				 (int)(users[i].name.len < 64 ? users[i].name.len : 64),
				 users[i].name.ptr);
			return -EINVAL;
		}
	return 0;
}

int htpasswd_parse(struct slice text, struct arena *arena, struct htpasswd *ret,
		   char ret_problem[HTPASSWD_PROBLEM_SIZE])
{
	struct htpasswd htpasswd = {
		.users = arena_alloc_array(arena, count_lines(text), sizeof(*htpasswd.users))};
	int err;

	if (!htpasswd.users)
		return -ENOMEM;
	for (size_t number = 1; text.len; number++) {
		struct slice line = take_line(&text);
		const char *problem;

		if (line.len == 0 || line.ptr[0] == '#')
			continue;
		problem = parse_line(line, arena, &htpasswd.users[htpasswd.count++]);
		if (problem)
			return complain(ret_problem, number, problem);
	}
	if (htpasswd.count == 0) {
		snprintf(ret_problem, HTPASSWD_PROBLEM_SIZE,
			 "there is no user; expected at least one");
		return -EINVAL;
	}
	err = sort(&htpasswd, ret_problem);
	if (!err)
		*ret = htpasswd;
	return err;
}

const char *htpasswd_hash(const struct htpasswd *htpasswd, struct slice name, bool *ret_is_known)
{
	struct htpasswd_user wanted = {.name = name};
	const struct htpasswd_user *found = bsearch(&wanted, htpasswd->users, htpasswd->count,
						    sizeof(wanted), compare_users);

	*ret_is_known = found;
	return found ? found->hash : htpasswd->users[0].hash;
}

/* Every byte is looked at, whatever the first difference. */
static bool is_equal(const char *a, const char *b)
{
	size_t len = strlen(a);
	unsigned char difference = 0;

	if (len != strlen(b))
		return false;
	for (size_t i = 0; i < len; i++)
		difference |= (unsigned char)(a[i] ^ b[i]);
	return difference == 0;
}

bool htpasswd_verify(const char *password, const char *hash)
{
	struct crypt_data *scratch = calloc(1, sizeof(*scratch));
	const char *made = scratch ? crypt_r(password, hash, scratch) : NULL;
	bool is_right = made && made[0] != '*' && is_equal(made, hash);

	if (scratch)
		explicit_bzero(scratch, sizeof(*scratch));
	free(scratch);
	return is_right;
}
