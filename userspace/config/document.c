// SPDX-License-Identifier: Apache-2.0
/*
 * YAML text → a tree of nodes that know their line and column, by libyaml's events. What a
 * configuration has no use for and an attacker has (anchors, tags, depth) is refused here.
 */
#include "config/config_internal.h"
#include "core/utf8.h"

#include <errno.h>
#include <string.h>
#include <yaml.h>

struct builder {
	yaml_parser_t yaml;
	struct arena *arena;
	struct diagnostics *diagnostics;
	struct slice source;
	size_t nodes;
	size_t allowance; /* bytes that the environment may still add */
	size_t depth;
};

static int build(struct builder *builder, const yaml_event_t *event, struct node **ret);

/* Columns count characters, as libyaml does. */
static void place_of(struct slice text, size_t offset, uint32_t *ret_line, uint32_t *ret_column)
{
	uint32_t line = 1, column = 1;

	for (size_t i = 0; i < offset && i < text.len; i++) {
		if (text.ptr[i] == '\n') {
			line++;
			column = 1;
		} else if (((unsigned char)text.ptr[i] & 0xc0) != 0x80) {
			column++;
		}
	}
	*ret_line = line;
	*ret_column = column;
}

/* The most frequent mistake, of which libyaml's words say nothing. Before it are blanks alone. */
static bool is_tab_at(struct slice text, uint32_t line, uint32_t column)
{
	const char *end = text.ptr + text.len, *at = text.ptr;

	while (at && --line > 0) {
		at = memchr(at, '\n', (size_t)(end - at));
		at = at ? at + 1 : NULL;
	}
	return at && column <= (size_t)(end - at) && at[column - 1] == '\t';
}

static int report_syntax(struct builder *builder)
{
	const yaml_parser_t *yaml = &builder->yaml;
	uint32_t line = (uint32_t)yaml->problem_mark.line + 1;
	uint32_t column = (uint32_t)yaml->problem_mark.column + 1;

	if (yaml->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	if (yaml->error == YAML_READER_ERROR)
		place_of(builder->source, yaml->problem_offset, &line, &column);
	diagnose_at(builder->diagnostics, line, column, "YAML syntax: %s%s%s; expected %s",
		    yaml->context ? yaml->context : "", yaml->context ? ", " : "",
		    yaml->problem ? yaml->problem : "cannot be read",
		    is_tab_at(builder->source, line, column) ? "spaces, not a tab" : "valid YAML");
	return -EINVAL;
}

static int next_event(struct builder *builder, yaml_event_t *event)
{
	return yaml_parser_parse(&builder->yaml, event) ? 0 : report_syntax(builder);
}

static int refuse(struct builder *builder, const struct node *node, const char *what)
{
	diagnose(builder->diagnostics, node, "%s", what);
	return -EINVAL;
}

static int new_node(struct builder *builder, const yaml_event_t *event, struct node **ret)
{
	struct node *node = arena_alloc(builder->arena, sizeof(*node));

	if (!node)
		return -ENOMEM;
	node->line = (uint32_t)event->start_mark.line + 1;
	node->column = (uint32_t)event->start_mark.column + 1;
	*ret = node;
	if (++builder->nodes > DOCUMENT_NODES_MAX)
		return refuse(builder, node, "too many values; expected at most 1000000");
	return 0;
}

/* What must not stand on any value. The node stays usable: the rest of it is still checked. */
static void refuse_decoration(struct builder *builder, const struct node *node,
			      const yaml_char_t *anchor, const yaml_char_t *tag)
{
	char quoted[QUOTE_SIZE];

	if (anchor)
		diagnose(builder->diagnostics, node,
			 "anchor %s is not supported; expected the value alone, written out "
			 "wherever it is needed",
			 quote(slice_from_str((const char *)anchor), quoted));
	if (tag)
		diagnose(builder->diagnostics, node,
			 "tag %s is not supported; expected the value alone",
			 quote(slice_from_str((const char *)tag), quoted));
}

static bool is_null(const yaml_event_t *event)
{
	struct slice text = slice_of(event->data.scalar.value, event->data.scalar.length);

	if (event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	return text.len == 0 || slice_equal_str(text, "~") || slice_equal_str(text, "null");
}

static int build_scalar(struct builder *builder, const yaml_event_t *event, struct node *node)
{
	size_t len = event->data.scalar.length;
	char *copy = arena_strdup(builder->arena, slice_of(event->data.scalar.value, len));

	if (!copy)
		return -ENOMEM;
	refuse_decoration(builder, node, event->data.scalar.anchor, event->data.scalar.tag);
	node->kind = is_null(event) ? NODE_NULL : NODE_SCALAR;
	node->raw = node->text = slice_of(copy, len);
	if (memchr(copy, '\0', len)) {
		diagnose(builder->diagnostics, node, "a NUL byte in the value; expected text");
		node->kind = NODE_BROKEN;
	}
	return 0;
}

static void append(struct node *parent, struct node *child)
{
	if (parent->last)
		parent->last->next = child;
	else
		parent->first = child;
	parent->last = child;
	parent->count++;
}

static int build_list(struct builder *builder, struct node *list)
{
	yaml_event_t event;
	struct node *item;
	int err;

	for (;;) {
		bool is_end;

		err = next_event(builder, &event);
		if (err)
			return err;
		is_end = event.type == YAML_SEQUENCE_END_EVENT;
		err = is_end ? 0 : build(builder, &event, &item);
		yaml_event_delete(&event);
		if (err || is_end)
			return err;
		append(list, item);
	}
}

/* The first of two wins; the second is reported and left out. */
static bool is_duplicate(struct builder *builder, const struct node *mapping, struct node *key)
{
	char quoted[QUOTE_SIZE];

	node_for_each (member, mapping) {
		if (!slice_equal(member->key->raw, key->raw))
			continue;
		diagnose(builder->diagnostics, key,
			 "duplicate key %s, first on line %u; expected it once",
			 node_quote(key, quoted), member->key->line);
		return true;
	}
	return false;
}

static int add_member(struct builder *builder, struct node *mapping, struct node *key,
		      struct node *value)
{
	if (key->kind != NODE_SCALAR) {
		if (key->kind != NODE_BROKEN)
			diagnose(builder->diagnostics, key,
				 "a key that is no word; expected \"name: value\"");
		return 0;
	}
	if (mapping->count == MAPPING_KEYS_MAX)
		return refuse(builder, key, "too many keys in one mapping; expected at most 256");
	if (is_duplicate(builder, mapping, key))
		return 0;
	value->key = key;
	append(mapping, value);
	return 0;
}

static int build_mapping(struct builder *builder, struct node *mapping)
{
	struct node *key = NULL, *node;
	yaml_event_t event;
	int err;

	for (;;) {
		bool is_end;

		err = next_event(builder, &event);
		if (err)
			return err;
		is_end = event.type == YAML_MAPPING_END_EVENT;
		err = is_end ? 0 : build(builder, &event, &node);
		yaml_event_delete(&event);
		if (err || is_end)
			return err;
		if (!key) {
			key = node;
			continue;
		}
		err = add_member(builder, mapping, key, node);
		if (err)
			return err;
		key = NULL;
	}
}

static int build_nested(struct builder *builder, const yaml_event_t *event, struct node *node)
{
	bool is_list = event->type == YAML_SEQUENCE_START_EVENT;
	int err;

	if (builder->depth == DOCUMENT_DEPTH_MAX)
		return refuse(builder, node, "nested too deep; expected at most 32 levels");
	builder->depth++;
	if (is_list)
		refuse_decoration(builder, node, event->data.sequence_start.anchor,
				  event->data.sequence_start.tag);
	else
		refuse_decoration(builder, node, event->data.mapping_start.anchor,
				  event->data.mapping_start.tag);
	node->kind = is_list ? NODE_LIST : NODE_MAPPING;
	err = is_list ? build_list(builder, node) : build_mapping(builder, node);
	builder->depth--;
	return err;
}

static int build(struct builder *builder, const yaml_event_t *event, struct node **ret)
{
	char quoted[QUOTE_SIZE];
	int err = new_node(builder, event, ret);

	if (err)
		return err;
	if (event->type == YAML_SCALAR_EVENT)
		return build_scalar(builder, event, *ret);
	if (event->type != YAML_ALIAS_EVENT)
		return build_nested(builder, event, *ret);
	diagnose(builder->diagnostics, *ret,
		 "alias %s is not supported; expected the value itself, written out",
		 quote(slice_from_str((const char *)event->data.alias.anchor), quoted));
	(*ret)->kind = NODE_BROKEN;
	return 0;
}

/* Values only: keys name options, and those are not secret. */
static int expand_tree(struct builder *builder, struct node *node)
{
	int err;

	if (node->kind == NODE_SCALAR)
		return environment_expand(node, builder->arena, &builder->allowance,
					  builder->diagnostics);
	for (struct node *child = node->first; child; child = child->next) {
		err = expand_tree(builder, child);
		if (err)
			return err;
	}
	return 0;
}

/* Whatever stands after the first document. */
static int expect_end(struct builder *builder)
{
	yaml_event_t event;
	bool is_end;
	int err = next_event(builder, &event);

	if (err)
		return err;
	is_end = event.type == YAML_STREAM_END_EVENT;
	if (!is_end)
		diagnose_at(builder->diagnostics, (uint32_t)event.start_mark.line + 1,
			    (uint32_t)event.start_mark.column + 1,
			    "a second document begins here; expected one in a file");
	yaml_event_delete(&event);
	return is_end ? 0 : -EINVAL;
}

/* From the stream's start to the root node; *@ret stays NULL if the file has none. */
static int build_root(struct builder *builder, struct node **ret)
{
	yaml_event_t event;
	int err;

	for (;;) {
		yaml_event_type_t type;

		err = next_event(builder, &event);
		if (err)
			return err;
		type = event.type;
		if (type == YAML_STREAM_START_EVENT || type == YAML_DOCUMENT_START_EVENT ||
		    type == YAML_STREAM_END_EVENT)
			err = 0;
		else
			err = build(builder, &event, ret);
		yaml_event_delete(&event);
		if (err || *ret || type == YAML_STREAM_END_EVENT)
			return err;
	}
}

/* After the root comes the document's end, which carries nothing. */
static int build_document(struct builder *builder, struct node **ret)
{
	struct node *root = NULL;
	yaml_event_t event;
	int err = build_root(builder, &root);

	if (err)
		return err;
	if (!root || root->kind == NODE_NULL) {
		diagnose_at(builder->diagnostics, 1, 1,
			    "the file is empty; expected at least listeners");
		return -EINVAL;
	}
	*ret = root;
	err = next_event(builder, &event);
	if (err)
		return err;
	yaml_event_delete(&event);
	return expect_end(builder);
}

/* libyaml would guess other encodings, and names bytes instead of places. */
static bool is_utf8(struct slice text, struct diagnostics *diagnostics)
{
	uint32_t line, column;
	size_t at = 0;

	while (at < text.len) {
		size_t len = utf8_length(text.ptr + at, text.len - at);

		if (len == 0) {
			place_of(text, at, &line, &column);
			diagnose_at(diagnostics, line, column,
				    "byte 0x%02x is not UTF-8; expected a file in UTF-8",
				    (unsigned char)text.ptr[at]);
			return false;
		}
		at += len;
	}
	return true;
}

static int parse(struct slice text, struct diagnostics *diagnostics, struct document *document)
{
	struct builder builder = {.arena = &document->arena,
				  .diagnostics = diagnostics,
				  .source = text,
				  .allowance = DOCUMENT_SIZE_MAX};
	int err;

	if (!yaml_parser_initialize(&builder.yaml))
		return -ENOMEM;
	yaml_parser_set_encoding(&builder.yaml, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&builder.yaml, (const unsigned char *)text.ptr, text.len);
	err = build_document(&builder, &document->root);
	yaml_parser_delete(&builder.yaml);
	if (!err)
		err = expand_tree(&builder, document->root);
	return err;
}

int document_parse(struct slice text, struct diagnostics *diagnostics, struct document *ret)
{
	struct document document = {};
	int err;

	if (text.len > DOCUMENT_SIZE_MAX) {
		diagnose_at(diagnostics, 0, 0, "the file is too large; expected at most 16MiB");
		*ret = document;
		return 0;
	}
	/* libyaml wants a pointer, even to nothing. */
	if (text.len == 0)
		text = slice_of("", 0);
	if (slice_starts_with(text, slice_of("\xef\xbb\xbf", 3)))
		text = slice_skip(text, 3);
	err = is_utf8(text, diagnostics) ? parse(text, diagnostics, &document) : -EINVAL;
	if (err == -ENOMEM) {
		document_done(&document);
		return err;
	}
	/* Half a tree would only give errors that follow from the first. */
	if (err)
		document.root = NULL;
	*ret = document;
	return 0;
}

void document_done(struct document *document)
{
	arena_done(&document->arena);
	document->root = NULL;
}

const struct node *node_member(const struct node *node, const char *key)
{
	if (!node || node->kind != NODE_MAPPING)
		return NULL;
	node_for_each (member, node) {
		if (slice_equal_str(member->key->raw, key))
			return member;
	}
	return NULL;
}

const struct node *node_member_or_self(const struct node *node, const char *key)
{
	const struct node *member = node_member(node, key);

	return member ? member : node;
}
