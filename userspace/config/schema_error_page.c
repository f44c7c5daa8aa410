// SPDX-License-Identifier: Apache-2.0
/* The part of the schema table that is about pages for errors. */
#include "config/config_internal.h"

static const struct option error_page_options[] = {
	{.name = "status",
	 .type = &type_status,
	 FIELDS(config_error_page, status_first, status_last),
	 RANGE(400, 599),
	 .example = "500-599",
	 .is_required = true,
	 .help = "A status or a range of them; the narrower range goes before the wider."},
	{.name = "file",
	 .type = &type_file,
	 FIELD(config_error_page, file),
	 .example = "errors/5xx.html",
	 .is_required = true,
	 .help = "What is sent, up to 1 MiB; its media type follows from its extension. Read when "
		 "the configuration is loaded."},
};

const struct schema schema_error_page = {
	SCHEMA("an error page", error_page_options),
	.size = sizeof(struct config_error_page),
};
