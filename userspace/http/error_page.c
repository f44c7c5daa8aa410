// SPDX-License-Identifier: Apache-2.0
/* The pages that Sluice answers with when there is nobody else to answer. Put together by the
 * compiler, so that an overloaded proxy does not have to. */
#include "http/error_page.h"

#include "core/compiler.h"
#include "http/negotiate.h"
#include "http/status.h"

#include <errno.h>

/* X(status, phrase, what it means to whoever reads it) */
#define PAGES(X)                                                                                   \
	X(400, "Bad Request", "The request could not be understood.")                              \
	X(401, "Unauthorized", "This needs a name and a password.")                                \
	X(403, "Forbidden", "Access is not allowed.")                                              \
	X(404, "Not Found", "There is nothing at this address.")                                   \
	X(405, "Method Not Allowed", "This cannot be done here.")                                  \
	X(408, "Request Timeout", "The request took too long to arrive.")                          \
	X(410, "Gone", "What was here is gone.")                                                   \
	X(412, "Precondition Failed", "What the request takes for granted is not so.")             \
	X(413, "Content Too Large", "The request is larger than is accepted.")                     \
	X(414, "URI Too Long", "The address is longer than is accepted.")                          \
	X(416, "Range Not Satisfiable", "There is no such part.")                                  \
	X(417, "Expectation Failed", "The request expects what is not known here.")                \
	X(421, "Misdirected Request", "This server does not answer for that name.")                \
	X(425, "Too Early", "The request came too early; it may be sent again.")                   \
	X(429, "Too Many Requests", "Too many requests came in a short time; try again later.")    \
	X(431, "Request Header Fields Too Large",                                                  \
	  "The request's head is larger than is accepted.")                                        \
	X(500, "Internal Server Error", "Something went wrong here.")                              \
	X(501, "Not Implemented", "This is not supported.")                                        \
	X(502, "Bad Gateway", "The server behind this one gave no usable answer.")                 \
	X(503, "Service Unavailable", "The service cannot answer at the moment; try again later.") \
	X(504, "Gateway Timeout", "The server behind this one did not answer in time.")            \
	X(505, "HTTP Version Not Supported", "This version of HTTP is not supported.")

/* In the order of the offers below. */
enum page_form { FORM_TEXT, FORM_HTML, FORM_JSON, FORM_COUNT };

#define TEXT_PAGE(status, phrase, text) #status " " phrase "\n" text "\n"
#define HTML_PAGE(status, phrase, text)                                                       \
	"<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"                     \
	"<meta name=\"viewport\" content=\"width=device-width\">\n<title>" #status " " phrase \
	"</title>\n"                                                                          \
	"<style>body{font:1.1em/1.5 system-ui,sans-serif;max-width:34em;margin:20vh auto 0;"  \
	"padding:0 1em;color-scheme:light dark}h1{font-size:1.4em}</style>\n<h1>" #status     \
	" " phrase "</h1>\n<p>" text "</p>\n</html>\n"
#define JSON_PAGE(status, phrase, text) \
	"{\"status\":" #status ",\"error\":\"" phrase "\",\"message\":\"" text "\"}\n"

#define LITERAL(text)                  \
	{                              \
		text, sizeof(text) - 1 \
	}

static const struct http_page pages[][FORM_COUNT] = {
#define X(status, phrase, text)                                                                    \
	{{status, LITERAL("text/plain; charset=utf-8"), LITERAL(TEXT_PAGE(status, phrase, text))}, \
	 {status, LITERAL("text/html; charset=utf-8"), LITERAL(HTML_PAGE(status, phrase, text))},  \
	 {status, LITERAL("application/json"), LITERAL(JSON_PAGE(status, phrase, text))}},
	PAGES(X)
#undef X
};

static const struct http_page *forms_of(unsigned status)
{
	const struct http_page *fallback = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		if (pages[i][0].status == status)
			return pages[i];
		if (pages[i][0].status == 500)
			fallback = pages[i];
	}
	return fallback;
}

const struct http_page *http_error_page(unsigned status, const struct http_fields *request)
{
	static const struct slice offers[FORM_COUNT] = {
		[FORM_TEXT] = LITERAL("text/plain"),
		[FORM_HTML] = LITERAL("text/html"),
		[FORM_JSON] = LITERAL("application/json"),
	};
	size_t form = request ? http_choose_type(request, offers, FORM_COUNT) : FORM_TEXT;

	/* Nothing that we have is acceptable: text is what can be read by most. */
	return &forms_of(status)[form < FORM_COUNT ? form : FORM_TEXT];
}

int http_error_page_sign(struct http_page *page, struct slice id, struct arena *arena)
{
	static const struct {
		const char *type, *end, *text;
	} signs[FORM_COUNT] = {
		{"text/plain; charset=utf-8", "", "Request ID: %.*s\n"},
		{"text/html; charset=utf-8", "</html>\n",
		 "<p><small>Request ID: %.*s</small></p>\n</html>\n"},
		{"application/json", "}\n", ",\"request_id\":\"%.*s\"}\n"},
	};

	for (size_t i = 0; i < FORM_COUNT; i++) {
		size_t kept = page->body.len - strlen(signs[i].end);
		char *sign, *body;

		if (!slice_equal_str(page->type, signs[i].type))
			continue;
		sign = arena_printf(arena, signs[i].text, SLICE_FMT(id));
		body = sign ? arena_printf(arena, "%.*s%s", (int)kept, page->body.ptr, sign) : NULL;
		if (!body)
			return -ENOMEM;
		page->body = slice_from_str(body);
	}
	return 0;
}

int http_error_page_plain(unsigned status, struct arena *arena, struct http_page *ret)
{
	struct slice phrase = http_status_phrase(status);
	char *body = arena_printf(arena, "%u %.*s\n", status, SLICE_FMT(phrase));

	if (!body)
		return -ENOMEM;
	*ret = (struct http_page){
		.status = (uint16_t)status,
		.type = slice_from_str("text/plain; charset=utf-8"),
		.body = slice_from_str(body),
	};
	return 0;
}
