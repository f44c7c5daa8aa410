/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CORE_UTF8_H
#define SLUICE_CORE_UTF8_H

#include <stddef.h>

/*
 * The length, 1 to 4, of the well-formed UTF-8 sequence at @text (RFC 3629: no overlong forms, no
 * surrogates, nothing above U+10FFFF); 0 if there is none. @left is at least 1.
 */
size_t utf8_length(const char *text, size_t left);

/* U+FFFD, which stands for what was not UTF-8. */
#define UTF8_REPLACEMENT "\xef\xbf\xbd"

#endif
