/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_FILES_ANSWER_H
#define SLUICE_FILES_ANSWER_H

#include "core/compiler.h"
#include "files/root.h"
#include "http/message.h"

#include <stdint.h>

/* How a request for a file is answered, once the file is open. Pure. Source: RFC 9110. */

/* What is known of the file beside its bytes. */
struct file_traits {
	struct slice type;          /* media type; empty: none is told */
	struct slice coding;        /* its content coding; empty: none */
	struct slice cache_control; /* empty: none */
	bool varies;                /* others would have got it in another coding */
};

struct file_answer {
	uint16_t status;        /* 200, 206, 304, 412, 416 */
	uint64_t first, length; /* the part of the file that is the body; 0: none */
	bool has_body;          /* 304 has none, not even an empty one */
};

/**
 * Judges conditions and Range: a single range is obeyed, several are answered with the whole.
 * @fields: gets what the answer says of the file, in its arena; not Content-Length.
 * @now:    seconds since 1970.
 * Return: 0; -ENOMEM.
 */
int file_answer_make(const struct http_request *request, const struct file *file,
		     const struct file_traits *traits, int64_t now, struct http_fields *fields,
		     struct file_answer *ret) WARN_UNUSED;

#endif
