// SPDX-License-Identifier: Apache-2.0
/* The part of the schema table that is about files of a directory. */
#include "config/config_internal.h"

static const struct word symlink_words[] = {
	{"beneath", CONFIG_SYMLINKS_BENEATH},
	{"off", CONFIG_SYMLINKS_OFF},
	{},
};

static const struct option files_options[] = {
	{.name = "root",
	 .type = &type_file,
	 FIELD(config_files, root),
	 .example = "/srv/www",
	 .is_required = true,
	 .help = "The directory; nothing outside of it is ever served. The path of the request is "
		 "the file's name in it: a rewrite may cut a prefix off first."},
	{.name = "index",
	 .type = &type_file_name,
	 LIST(config_files, index),
	 .default_text = "index.html",
	 .zero_word = "off",
	 .help = "What is looked for where the path is a directory's, in this order. Directories "
		 "are never listed."},
	{.name = "symlinks",
	 .type = &type_word,
	 FIELD(config_files, symlinks),
	 .words = symlink_words,
	 .default_text = "beneath",
	 .help = "beneath: links are followed as long as they lead to what is in root by a "
		 "relative path; off: what a link leads to is not found."},
	{.name = "hidden",
	 .type = &type_boolean,
	 FIELD(config_files, shows_hidden),
	 .default_text = "false",
	 .help = "Whether names that begin with a dot are served; .well-known always is."},
	{.name = "precompressed",
	 .type = &type_boolean,
	 FIELD(config_files, is_precompressed),
	 .default_text = "true",
	 .help = "Whether name.br, name.zst or name.gz is sent in place of name to clients that "
		 "accept it, where there is one beside it."},
	{.name = "cache_control",
	 .type = &type_field_value,
	 FIELD(config_files, cache_control),
	 .example = "\"public, max-age=3600\"",
	 .help = "The Cache-Control field of answers."},
};

const struct schema schema_files = {SCHEMA("files", files_options)};
