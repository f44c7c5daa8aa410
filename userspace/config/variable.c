// SPDX-License-Identifier: Apache-2.0
/* The names of an exchange's variables. */
#include "config/variable.h"

static const struct template_name names[CONFIG_VARIABLE_COUNT] = {
#define X(id, text, has_argument, help) \
	[CONFIG_VARIABLE_##id] = {.name = text, .takes_argument = has_argument},
	CONFIG_VARIABLES(X)
#undef X
};

const struct template_names config_variables = {.names = names, .count = CONFIG_VARIABLE_COUNT};
