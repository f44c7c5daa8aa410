// SPDX-License-Identifier: Apache-2.0
/* Regular expressions; PCRE2 stops here. */
#include "core/regex.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* Steps of one match, as PCRE2 counts them: about a millisecond's work at worst. */
#define STEPS_MAX      50000
#define DEPTH_MAX      1000
#define HEAP_KIB_MAX   1024
#define JIT_STACK_MIN  ((size_t)32 * 1024)
#define JIT_STACK_MAX  ((size_t)256 * 1024)
#define PATTERN_KB_MAX 64

struct regex {
	pcre2_code *code;
};

struct regex_scratch {
	pcre2_match_data *match;
	pcre2_match_context *context;
	pcre2_jit_stack *stack;
};

static void describe(int error, size_t offset, char ret[REGEX_PROBLEM_SIZE])
{
	PCRE2_UCHAR text[128] = "";

	(void)pcre2_get_error_message(error, text, sizeof(text));
	snprintf(ret, REGEX_PROBLEM_SIZE, "%s at offset %zu", (const char *)text, offset);
}

int regex_new(struct slice pattern, struct regex **ret, char ret_problem[REGEX_PROBLEM_SIZE])
{
	struct regex *regex = calloc(1, sizeof(*regex));
	PCRE2_SIZE offset = 0;
	int error = 0;

	if (!regex)
		return -ENOMEM;
	if (pattern.len > (size_t)PATTERN_KB_MAX * 1024) {
		snprintf(ret_problem, REGEX_PROBLEM_SIZE, "longer than %d KiB", PATTERN_KB_MAX);
		free(regex);
		return -EINVAL;
	}
	regex->code = pcre2_compile((PCRE2_SPTR)pattern.ptr, pattern.len,
				    PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UTF, &error, &offset,
				    NULL);
	if (!regex->code) {
		free(regex);
		if (error == PCRE2_ERROR_HEAP_FAILED)
			return -ENOMEM;
		describe(error, offset, ret_problem);
		return -EINVAL;
	}
	/* Where that is not possible or not permitted, the interpreter does it. */
	(void)pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE);
	*ret = regex;
	return 0;
}

void regex_free(struct regex *regex)
{
	if (!regex)
		return;
	pcre2_code_free(regex->code);
	free(regex);
}

size_t regex_groups(const struct regex *regex)
{
	uint32_t count = 0;

	(void)pcre2_pattern_info(regex->code, PCRE2_INFO_CAPTURECOUNT, &count);
	return count;
}

struct regex_scratch *regex_scratch_new(void)
{
	struct regex_scratch *scratch = calloc(1, sizeof(*scratch));

	if (!scratch)
		return NULL;
	scratch->match = pcre2_match_data_create(REGEX_GROUPS_MAX, NULL);
	scratch->context = pcre2_match_context_create(NULL);
	/* Without one of its own the JIT has 32 KiB of the thread's. */
	scratch->stack = pcre2_jit_stack_create(JIT_STACK_MIN, JIT_STACK_MAX, NULL);
	if (!scratch->match || !scratch->context) {
		regex_scratch_free(scratch);
		return NULL;
	}
	pcre2_set_match_limit(scratch->context, STEPS_MAX);
	pcre2_set_depth_limit(scratch->context, DEPTH_MAX);
	pcre2_set_heap_limit(scratch->context, HEAP_KIB_MAX);
	if (scratch->stack)
		pcre2_jit_stack_assign(scratch->context, NULL, scratch->stack);
	return scratch;
}

void regex_scratch_free(struct regex_scratch *scratch)
{
	if (!scratch)
		return;
	pcre2_match_data_free(scratch->match);
	pcre2_match_context_free(scratch->context);
	pcre2_jit_stack_free(scratch->stack);
	free(scratch);
}

int regex_match(const struct regex *regex, struct slice subject, struct regex_scratch *scratch)
{
	int count = pcre2_match(regex->code, (PCRE2_SPTR)(subject.ptr ? subject.ptr : ""),
				subject.len, 0, 0, scratch->match, scratch->context);

	/* 0: it matches, with more groups than there is room for. */
	if (count >= 0)
		return 1;
	if (count == PCRE2_ERROR_NOMATCH)
		return 0;
	return count == PCRE2_ERROR_NOMEMORY ? -ENOMEM : -E2BIG;
}

struct slice regex_group(const struct regex_scratch *scratch, struct slice subject, size_t index)
{
	const PCRE2_SIZE *pair = pcre2_get_ovector_pointer(scratch->match) + 2 * index;

	if (index >= pcre2_get_ovector_count(scratch->match) || pair[0] == PCRE2_UNSET ||
	    pair[1] < pair[0] || pair[1] > subject.len)
		return (struct slice){};
	return slice_of(subject.ptr + pair[0], pair[1] - pair[0]);
}
