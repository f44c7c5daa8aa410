// SPDX-License-Identifier: Apache-2.0
/* Memory that is kept warm. Under AddressSanitizer nothing is kept: a use after the end would hide.
 */
#include "core/free_list.h"
#include "core/compiler.h"

#include <stdlib.h>
#include <string.h>

#define KEEPS (!IS_WATCHED_FOR_MEMORY)

void *free_list_take(struct free_list *list)
{
	struct free_item *item = list->first;

	if (!item)
		return calloc(1, list->size);
	list->first = item->next;
	list->count--;
	return memset(item, 0, list->size);
}

void free_list_give(struct free_list *list, void *object)
{
	struct free_item *item = object;

	if (!item)
		return;
	if (!KEEPS || list->count >= list->max) {
		free(item);
		return;
	}
	item->next = list->first;
	list->first = item;
	list->count++;
}

void free_list_clear(struct free_list *list)
{
	while (list->first) {
		struct free_item *item = list->first;

		list->first = item->next;
		free(item);
	}
	list->count = 0;
}
