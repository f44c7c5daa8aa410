/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_HTTP_H1_SCAN_H
#define SLUICE_HTTP_H1_SCAN_H

#include "http/http_internal.h"

#include <stddef.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/*
 * Finds where a run of good bytes ends, sixteen at a time where the processor has SSE2, which every
 * x86-64 has. Wider registers do not pay: most values are shorter than two such steps. Never reads
 * at or behind @end. Return: @end if every byte is good.
 */

static inline const char *scan_class(const char *at, const char *end, enum http_char what)
{
	while (at < end && http_is(*at, what))
		at++;
	return at;
}

/* The first colon among the next thirty-two bytes. Return: NULL where there is none, or fewer
 * bytes, or no way to find it at once. */
static inline const char *find_colon(const char *at, const char *end)
{
#ifdef __SSE2__
	const __m128i colon = _mm_set1_epi8(':');
	const __m128i *words = (const __m128i *)(const void *)at;
	unsigned mask;

	if (end - at < 32)
		return NULL;
	mask = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128(words), colon));
	if (!mask)
		mask = (unsigned)_mm_movemask_epi8(
			       _mm_cmpeq_epi8(_mm_loadu_si128(words + 1), colon))
		       << 16;
	return mask ? at + __builtin_ctz(mask) : NULL;
#else
	(void)at;
	(void)end;
	return NULL;
#endif
}

/* The first byte that may not stand in a value: a control character but the tab. */
static inline const char *scan_value(const char *at, const char *end)
{
#ifdef __SSE2__
	const __m128i last_control = _mm_set1_epi8(0x1f), del = _mm_set1_epi8(0x7f),
		      tab = _mm_set1_epi8('\t');

	for (; end - at >= 16; at += 16) {
		__m128i x = _mm_loadu_si128((const __m128i *)(const void *)at);
		__m128i low = _mm_cmpeq_epi8(_mm_min_epu8(x, last_control), x);
		__m128i bad = _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(x, tab), low),
					   _mm_cmpeq_epi8(x, del));
		unsigned mask = (unsigned)_mm_movemask_epi8(bad);

		if (mask)
			return at + __builtin_ctz(mask);
	}
#endif
	return scan_class(at, end, CHAR_VALUE);
}

/* The first byte that is not a visible ASCII character. */
static inline const char *scan_visible(const char *at, const char *end)
{
#ifdef __SSE2__
	const __m128i first_visible = _mm_set1_epi8('!'), del = _mm_set1_epi8(0x7f);

	for (; end - at >= 16; at += 16) {
		__m128i x = _mm_loadu_si128((const __m128i *)(const void *)at);
		/* Compared as signed numbers, so that what is above 0x7f counts as low. */
		__m128i bad = _mm_or_si128(_mm_cmplt_epi8(x, first_visible),
					   _mm_cmpeq_epi8(x, del));
		unsigned mask = (unsigned)_mm_movemask_epi8(bad);

		if (mask)
			return at + __builtin_ctz(mask);
	}
#endif
	while (at<end && * at> ' ' && *at < 0x7f)
		at++;
	return at;
}

#endif
