// SPDX-License-Identifier: Apache-2.0
/* The options of the filter compression. */
#include "config/schema_filter.h"

static const struct word coding_words[] = {
	{"gzip", CONFIG_CODING_GZIP},
	{"br", CONFIG_CODING_BROTLI},
	{"zstd", CONFIG_CODING_ZSTD},
	{},
};

static const struct option compression_options[] = {
	{.name = "codings",
	 .type = &type_word,
	 LIST(config_compression, codings),
	 .words = coding_words,
	 .example = "[zstd, br, gzip]",
	 .help = "What may be used; the first of those that a client likes best. All three "
		 "without it, as in the example."},
	{.name = "types",
	 .type = &type_media_range,
	 LIST(config_compression, types),
	 .example = "[\"text/*\", application/json]",
	 .help = "Media types that are compressed. Without it text, scripts, JSON, XML, SVG, "
		 "WebAssembly and plain fonts are."},
	{.name = "min_size",
	 .type = &type_size,
	 FIELD(config_compression, min_size_bytes),
	 RANGE(0, 1024 * MIB),
	 .default_text = "1KiB",
	 .help = "Shorter bodies, whose length is known, are left alone."},
	{.name = "gzip_level",
	 .type = &type_count,
	 FIELD(config_compression, gzip_level),
	 RANGE(1, 9),
	 .default_text = "4",
	 .help = "From fast to small."},
	{.name = "brotli_level",
	 .type = &type_count,
	 FIELD(config_compression, brotli_level),
	 RANGE(0, 11),
	 .default_text = "4",
	 .help = "From fast to small; above 6 it is for files that are compressed once."},
	{.name = "zstd_level",
	 .type = &type_count,
	 FIELD(config_compression, zstd_level),
	 RANGE(1, 19),
	 .default_text = "3",
	 .help = "From fast to small."},
	{.name = "max_active",
	 .type = &type_count,
	 FIELD(config_compression, max_active),
	 RANGE(1, 1000000),
	 .default_text = "256",
	 .help = "Bodies that a worker compresses at once, up to 3 MiB of memory each at the "
		 "default levels; further ones go out as they are."},
};

const struct schema schema_filter_compression = {SCHEMA("compression", compression_options)};
