// SPDX-License-Identifier: Apache-2.0
// Whatever a list has, each of its networks must have an answer in the table, and in its lines.
#include "guard/list.h"
#include "guard/table.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check(const struct guard_table *table, const struct guard_entry *entry)
{
	struct address address = {.len = sizeof(address.v6)};

	address.sa.sa_family = entry->prefix.family;
	if (entry->prefix.family == AF_INET)
		memcpy(&address.v4.sin_addr, entry->prefix.ip, 4);
	else
		memcpy(&address.v6.sin6_addr, entry->prefix.ip, 16);
	/* In files of v4-mapped addresses, which nobody has. */
	if (guard_table_look(table, &address) != GUARD_WHY_BLOCK &&
	    !(entry->prefix.family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&address.v6.sin6_addr)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct guard_list list = {};
	struct strbuf errors = {};
	struct guard_table *table;

	if (!guard_list_parse(&list, "x", slice_of(bytes, len), GUARD_WHY_BLOCK, &errors) &&
	    errors.len)
		abort();
	if (!guard_table_new(&list, 0, &table)) {
		for (size_t i = 0; i < list.count; i++)
			check(table, &list.entries[i]);
		guard_table_free(table);
	}
	guard_list_done(&list);
	strbuf_done(&errors);
	return 0;
}
