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

/* @known is in lower case. Folds letters alone: "\r" must not pass for "-". */
static bool is_name(const char *known, struct slice name)
{
	for (size_t i = 0; i < name.len; i++) {
		unsigned fold = (unsigned char)known[i] >> 1 & 0x20;

		if (((unsigned char)name.ptr[i] ^ (unsigned char)known[i]) & ~fold)
			return false;
	}
	return true;
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
