// SPDX-License-Identifier: Apache-2.0
/* Field names to numbers, by a perfect hash and one comparison; see scripts/field-hash. */
#include "http/field_id.h"

#include "http/field_slots.h"

#include <assert.h>

#define C HTTP_FIELD_IS_OF_CONNECTION
#define F HTTP_FIELD_IS_FIXED
#define T HTTP_FIELD_NOT_IN_TRAILER

static const struct {
	const char *name;
	uint8_t len, flags;
} field_table[HTTP_FIELD_COUNT] = {[HTTP_FIELD_OTHER] = {"", 0, 0},
#define X(id, name, flags) [HTTP_FIELD_##id] = {name, sizeof(name) - 1, flags},
				   HTTP_FIELDS(X)
#undef X
};

static_assert(HTTP_FIELD_COUNT <= UINT8_MAX, "field_slots[] holds bytes");

/* The same as key() in scripts/field-hash. */
static uint32_t field_key(struct slice name)
{
	const unsigned char *s = (const unsigned char *)name.ptr;
	uint32_t last = s[name.len - 1] | 0x20, middle = s[name.len / 2] | 0x20,
		 late = s[name.len * 3 / 4] | 0x20;

	return (uint32_t)name.len | last << 8 | middle << 16 | late << 24;
}

static uint64_t load8(const char *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

/* All bytes of a name of one to seven, some of them twice. */
static uint64_t load_short(const char *at, size_t len)
{
	uint32_t first, last;

	if (len < 4)
		return (uint64_t)(unsigned char)at[0] | (uint64_t)(unsigned char)at[len / 2] << 8 |
		       (uint64_t)(unsigned char)at[len - 1] << 16;
	memcpy(&first, at, sizeof(first));
	memcpy(&last, at + len - 4, sizeof(last));
	return first | (uint64_t)last << 32;
}

/* Whether eight bytes are the same but for the case of letters. Only what is a letter in @known is
 * folded: "\r" must not pass for "-". */
static bool is_same8(uint64_t known, uint64_t other)
{
	uint64_t letters = known >> 1 & UINT64_C(0x2020202020202020);

	return ((known ^ other) & ~letters) == 0;
}

/* @known is in lower case and has the length of @name. Longer names are compared by words, the last
 * of which overlaps the one before. */
static bool is_name(const char *known, struct slice name)
{
	size_t at = 0;

	if (name.len < 8)
		return is_same8(load_short(known, name.len), load_short(name.ptr, name.len));
	for (; at + 8 < name.len; at += 8)
		if (!is_same8(load8(known + at), load8(name.ptr + at)))
			return false;
	return is_same8(load8(known + name.len - 8), load8(name.ptr + name.len - 8));
}

enum http_field_id http_field_id(struct slice name)
{
	unsigned id;

	if (name.len == 0 || name.len > UINT8_MAX)
		return HTTP_FIELD_OTHER;
	id = field_slots[field_key(name) * FIELD_FACTOR >> (32 - FIELD_SLOT_BITS)];
	if (field_table[id].len != name.len || !is_name(field_table[id].name, name))
		return HTTP_FIELD_OTHER;
	return (enum http_field_id)id;
}

struct slice http_field_name(enum http_field_id id)
{
	return slice_of(field_table[id].name, field_table[id].len);
}

unsigned http_field_flags(enum http_field_id id)
{
	return field_table[id].flags;
}
