// SPDX-License-Identifier: Apache-2.0
/* A route's condition on the client's certificate; what costs least is looked at first. */
#include "route/certificate_rule.h"

#include <string.h>

static int compile(const char *pattern, struct regex **ret)
{
	char problem[REGEX_PROBLEM_SIZE];

	return pattern ? regex_new(slice_from_str(pattern), ret, problem) : 0;
}

int certificate_rule_init(struct certificate_rule *rule,
			  const struct config_certificate_match *match)
{
	int err;

	*rule = (struct certificate_rule){.match = match};
	err = compile(match->subject_regex, &rule->subject);
	if (!err)
		err = compile(match->issuer_regex, &rule->issuer);
	return err ? err : compile(match->uri_regex, &rule->uri);
}

void certificate_rule_done(struct certificate_rule *rule)
{
	regex_free(rule->subject);
	regex_free(rule->issuer);
	regex_free(rule->uri);
}

static bool is_any_of(const char *const *texts, size_t count, struct slice text)
{
	for (size_t i = 0; i < count; i++)
		if (slice_equal_str(text, texts[i]))
			return true;
	return count == 0;
}

/* Takes the next of names with a blank between two. Return: false: there is none. */
static bool take_name(struct slice *names, struct slice *ret)
{
	const char *blank;

	if (!names->len)
		return false;
	blank = memchr(names->ptr, ' ', names->len);
	*ret = slice_of(names->ptr, blank ? (size_t)(blank - names->ptr) : names->len);
	*names = slice_skip(*names, ret->len + (blank != NULL));
	return true;
}

/* "*" in front stands for any labels, as in a route's sni. */
static bool covers(const char *pattern, struct slice name)
{
	struct slice end = slice_from_str(pattern);

	if (*pattern != '*')
		return slice_equal(name, end);
	end = slice_skip(end, 1);
	return name.len > end.len && slice_equal(slice_skip(name, name.len - end.len), end);
}

static bool has_domain(const char *const *patterns, size_t count, struct slice names)
{
	struct slice name;

	while (count && take_name(&names, &name))
		for (size_t i = 0; i < count; i++)
			if (covers(patterns[i], name))
				return true;
	return count == 0;
}

static bool has_any_of(const char *const *texts, size_t count, struct slice names)
{
	struct slice name;

	while (count && take_name(&names, &name))
		if (is_any_of(texts, count, name))
			return true;
	return count == 0;
}

static int matches(const struct regex *regex, struct slice text, struct regex_scratch *scratch)
{
	return regex ? regex_match(regex, text, scratch) : 1;
}

/* Whether one of @names does: an anchor stands for the name's end, not for that of the list. */
static int any_matches(const struct regex *regex, struct slice names, struct regex_scratch *scratch)
{
	struct slice name;
	int result = 0;

	if (!regex)
		return 1;
	while (!result && take_name(&names, &name))
		result = regex_match(regex, name, scratch);
	return result;
}

int certificate_rule_holds(const struct certificate_rule *rule, const struct tls_peer *shown,
			   struct regex_scratch *scratch)
{
	const struct config_certificate_match *match = rule->match;
	int result;

	if (!match->is_asked)
		return 1;
	if (!shown || !match->is_present)
		return !shown && !match->is_present;
	if (!is_any_of(match->subject, match->nsubject, shown->subject) ||
	    !is_any_of(match->issuer, match->nissuer, shown->issuer) ||
	    !is_any_of(match->serial, match->nserial, shown->serial) ||
	    !is_any_of(match->fingerprint, match->nfingerprint, shown->fingerprint) ||
	    !has_domain(match->dns, match->ndns, shown->names[TLS_NAME_DNS]) ||
	    !has_any_of(match->uri, match->nuri, shown->names[TLS_NAME_URI]) ||
	    !has_any_of(match->email, match->nemail, shown->names[TLS_NAME_EMAIL]))
		return 0;
	result = matches(rule->subject, shown->subject, scratch);
	if (result > 0)
		result = matches(rule->issuer, shown->issuer, scratch);
	return result > 0 ? any_matches(rule->uri, shown->names[TLS_NAME_URI], scratch) : result;
}
