// SPDX-License-Identifier: Apache-2.0
/* Media types: their grammar, and which one a file's name suggests. */
#include "http/media_type.h"

#include "core/compiler.h"
#include "http/fields.h"
#include "http/list.h"

#include <errno.h>

int http_media_type_parse(struct slice value, struct http_media_type *ret)
{
	struct http_media_type type = {.params = value};
	const char *slash;

	type.essence = http_member_take(&type.params);
	slash = type.essence.len ? memchr(type.essence.ptr, '/', type.essence.len) : NULL;
	if (!slash)
		return -EINVAL;
	type.type = slice_of(type.essence.ptr, (size_t)(slash - type.essence.ptr));
	type.subtype = slice_skip(type.essence, type.type.len + 1);
	if (!http_is_token(type.type) || !http_is_token(type.subtype))
		return -EINVAL;
	*ret = type;
	return 0;
}

bool http_media_type_matches(const struct http_media_type *type, struct slice pattern)
{
	struct http_media_type wanted;

	if (http_media_type_parse(pattern, &wanted))
		return false;
	if (slice_equal_str(wanted.type, "*"))
		return slice_equal_str(wanted.subtype, "*");
	return slice_equal_nocase(type->type, wanted.type) &&
	       (slice_equal_str(wanted.subtype, "*") ||
		slice_equal_nocase(type->subtype, wanted.subtype));
}

struct slice http_media_type_param(const struct http_media_type *type, struct slice name)
{
	struct slice params = type->params;
	struct http_param param;

	while (http_param_next(&params, &param) > 0)
		if (slice_equal_nocase(param.name, name))
			return param.value;
	return (struct slice){};
}

/* What sites are made of. */
static const struct {
	const char *extension, *type;
} extensions[] = {
	{"html", "text/html; charset=utf-8"},
	{"htm", "text/html; charset=utf-8"},
	{"css", "text/css; charset=utf-8"},
	{"js", "text/javascript; charset=utf-8"},
	{"mjs", "text/javascript; charset=utf-8"},
	{"json", "application/json"},
	{"map", "application/json"},
	{"webmanifest", "application/manifest+json"},
	{"txt", "text/plain; charset=utf-8"},
	{"md", "text/markdown; charset=utf-8"},
	{"csv", "text/csv; charset=utf-8"},
	{"xml", "application/xml"},
	{"rss", "application/rss+xml"},
	{"atom", "application/atom+xml"},
	{"svg", "image/svg+xml"},
	{"png", "image/png"},
	{"jpg", "image/jpeg"},
	{"jpeg", "image/jpeg"},
	{"gif", "image/gif"},
	{"webp", "image/webp"},
	{"avif", "image/avif"},
	{"ico", "image/vnd.microsoft.icon"},
	{"bmp", "image/bmp"},
	{"woff", "font/woff"},
	{"woff2", "font/woff2"},
	{"ttf", "font/ttf"},
	{"otf", "font/otf"},
	{"mp3", "audio/mpeg"},
	{"ogg", "audio/ogg"},
	{"wav", "audio/wav"},
	{"flac", "audio/flac"},
	{"mp4", "video/mp4"},
	{"webm", "video/webm"},
	{"mpd", "application/dash+xml"},
	{"m3u8", "application/vnd.apple.mpegurl"},
	{"ts", "video/mp2t"},
	{"pdf", "application/pdf"},
	{"zip", "application/zip"},
	{"gz", "application/gzip"},
	{"wasm", "application/wasm"},
	{"ics", "text/calendar; charset=utf-8"},
};

struct slice http_media_type_of_file(struct slice name)
{
	const char *dot = name.len ? memrchr(name.ptr, '.', name.len) : NULL;
	struct slice extension;

	if (dot) {
		extension = slice_skip(name, (size_t)(dot - name.ptr) + 1);
		for (size_t i = 0; i < ARRAY_SIZE(extensions); i++)
			if (slice_equal_nocase(extension, slice_from_str(extensions[i].extension)))
				return slice_from_str(extensions[i].type);
	}
	return slice_from_str("application/octet-stream");
}
