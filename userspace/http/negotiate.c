// SPDX-License-Identifier: Apache-2.0
/* What a client accepts, by weight. The most specific range that fits decides, not the heaviest. */
#include "http/negotiate.h"

#include "http/list.h"
#include "http/media_type.h"

#define FULL_WEIGHT 1000

/* The weight among the parameters of a member; 0 if they are malformed. */
static unsigned weight_of(struct slice params)
{
	unsigned weight = FULL_WEIGHT;
	struct http_param param;
	int r;

	while ((r = http_param_next(&params, &param)) > 0) {
		if (!slice_equal_nocase(param.name, slice_of("q", 1)))
			continue;
		r = param.is_quoted ? -1 : http_weight_parse(param.value);
		if (r < 0)
			return 0;
		weight = (unsigned)r;
	}
	return r < 0 ? 0 : weight;
}

/* How closely a member fits what is offered; 0: not at all. */
typedef unsigned member_fit(struct slice member, struct slice offer);

struct preference {
	unsigned fit, weight;
};

static struct preference prefer(const struct http_fields *fields, enum http_field_id id,
				struct slice offer, member_fit *fit_of)
{
	const struct http_field *field = http_fields_find(fields, id);
	struct preference best = {};

	for (; field; field = http_fields_find_next(fields, field)) {
		struct slice list = field->value, member;

		while (http_list_next(&list, &member)) {
			unsigned fit = fit_of(http_member_take(&member), offer);

			if (fit > best.fit)
				best = (struct preference){fit, weight_of(member)};
		}
	}
	return best;
}

/* --- Codings -------------------------------------------------------------------------- */

/* "x-gzip" is "gzip" (RFC 9110 section 8.4.1.3). */
static unsigned fit_coding(struct slice member, struct slice offer)
{
	if (slice_equal_nocase(member, slice_of("x-gzip", 6)))
		member = slice_skip(member, 2);
	if (slice_equal_nocase(member, offer))
		return 2;
	return slice_equal_str(member, "*") ? 1 : 0;
}

unsigned http_accepts_coding(const struct http_fields *request, struct slice coding)
{
	struct preference found = prefer(request, HTTP_FIELD_ACCEPT_ENCODING, coding, fit_coding);
	bool is_identity = slice_equal_nocase(coding, slice_of("identity", 8));

	/* Unless it is ruled out, as it is always acceptable, but the least wanted. */
	if (found.fit == 0)
		return is_identity ? 1 : 0;
	return found.weight;
}

/* --- Media types ---------------------------------------------------------------------- */

static unsigned fit_type(struct slice member, struct slice offer)
{
	struct http_media_type type;

	if (slice_equal_nocase(member, offer))
		return 3;
	if (http_media_type_parse(offer, &type) || !http_media_type_matches(&type, member))
		return 0;
	return slice_equal_str(member, "*/*") ? 1 : 2;
}

unsigned http_accepts_type(const struct http_fields *request, struct slice type)
{
	if (!http_fields_has(request, HTTP_FIELD_ACCEPT))
		return FULL_WEIGHT;
	return prefer(request, HTTP_FIELD_ACCEPT, type, fit_type).weight;
}

/* --- Choice --------------------------------------------------------------------------- */

static size_t choose(const struct http_fields *request, const struct slice *offers, size_t count,
		     unsigned (*accepts)(const struct http_fields *, struct slice))
{
	size_t best = count;
	unsigned best_weight = 0;

	for (size_t i = 0; i < count; i++) {
		unsigned weight = accepts(request, offers[i]);

		if (weight > best_weight) {
			best = i;
			best_weight = weight;
		}
	}
	return best;
}

size_t http_choose_coding(const struct http_fields *request, const struct slice *offers,
			  size_t count)
{
	return choose(request, offers, count, http_accepts_coding);
}

size_t http_choose_type(const struct http_fields *request, const struct slice *offers, size_t count)
{
	return choose(request, offers, count, http_accepts_type);
}
