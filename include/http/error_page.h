/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_HTTP_ERROR_PAGE_H
#define SLUICE_HTTP_ERROR_PAGE_H

#include "core/arena.h"
#include "core/compiler.h"
#include "core/slice.h"
#include "http/fields.h"

#include <stdint.h>

/* A page that Sluice answers with by itself; static. */
struct http_page {
	uint16_t status;
	struct slice type; /* media type with its charset */
	struct slice body;
};

/**
 * The page of a status in the form the client prefers: HTML, JSON, or plain text.
 * @request: for its Accept field; NULL if the request could not be read: plain text.
 * Return: the page; that of 500 for a status that has none.
 */
const struct http_page *http_error_page(unsigned status, const struct http_fields *request);

/**
 * A page that tells which request it is about.
 * @page: one of http_error_page(); its body becomes another one, in @arena.
 * @id:   has no character that text, HTML or JSON would have to escape.
 * Return: 0; -ENOMEM.
 */
int http_error_page_sign(struct http_page *page, struct slice id, struct arena *arena) WARN_UNUSED;

/* The page of a status that has none: its phrase. Return: 0; -ENOMEM. */
int http_error_page_plain(unsigned status, struct arena *arena, struct http_page *ret) WARN_UNUSED;

#endif
