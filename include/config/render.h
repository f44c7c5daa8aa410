/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CONFIG_RENDER_H
#define SLUICE_CONFIG_RENDER_H

#include "core/strbuf.h"

/* What the schema table gives besides the parser. Thread: any. */

/* JSON Schema (draft 2020-12) of a configuration file, for editors. */
void config_render_json_schema(struct strbuf *out);

/* A YAML file with every option, its default and its help: configs/reference.yaml. */
void config_render_reference(struct strbuf *out);

/* Markdown tables of every option, for docs/configuration.md. */
void config_render_markdown(struct strbuf *out);

/* troff lines of every option, for sluice.yaml(5). */
void config_render_man(struct strbuf *out);

#endif
