// SPDX-License-Identifier: Apache-2.0
/*
 * A file of a directory. The names that could be meant are looked at one after another, each
 * perhaps with a wait for the disk:
 *
 *   BASE: the path's own name, or the directory's with each index ─► found ─► CODED: name.br, …
 *   while the client wants them ─► answered with the best that is there
 */
#include "core/clock.h"
#include "files/answer.h"
#include "files/name.h"
#include "http/media_type.h"
#include "http/negotiate.h"
#include "proxy/action.h"
#include "proxy/file_body.h"
#include "proxy/file_lookup.h"
#include "proxy/http_client.h"
#include "proxy/session.h"

#include <errno.h>

/* So much is sent in one piece with the head. */
#define SMALL_MAX 16384

/* In the order in which equals are preferred. */
static const struct {
	const char *coding, *ending;
} codings[] = {{"br", ".br"}, {"zstd", ".zst"}, {"gzip", ".gz"}};

#define NCODINGS ARRAY_SIZE(codings)

struct files {
	struct exchange_source source; /* until a file_body takes its place */
	struct exchange *exchange;
	const struct config_files *config;
	struct file_root *root;
	struct file_lookup lookup;
	char *name;              /* that the path asks for */
	const char *base;        /* that was found */
	size_t next_index;       /* to be looked for */
	struct file_entry *file; /* the best so far */
	size_t coding;           /* of it; NCODINGS: none */
	size_t order[NCODINGS];  /* what the client accepts, best first */
	size_t norder, next_coding;
};

static void advance(struct files *files);

/* --- Answers -------------------------------------------------------------------- */

static void fail(struct files *files, int err)
{
	struct exchange *exchange = files->exchange;

	switch (err) {
	case -EMFILE:
	case -ENFILE:
		exchange_refuse(exchange, 503, EXCHANGE_END_NO_DESCRIPTORS,
				"the file cannot be opened now");
		break;
	case -ENOMEM:
	case -EBUSY:
		exchange_refuse(exchange, 503, EXCHANGE_END_NO_MEMORY,
				"the file cannot be opened now");
		break;
	case -EACCES:
	case -EPERM:
		exchange_refuse(exchange, 403, EXCHANGE_END_DONE, "the file may not be read");
		break;
	case -EXDEV:
	case -ELOOP:
		exchange_refuse(
			exchange, 404, EXCHANGE_END_DONE,
			"a symbolic link leads out of the directory or may not be followed");
		break;
	case -ENOENT:
	case -ENOTDIR:
	case -ENAMETOOLONG:
		exchange_refuse(exchange, 404, EXCHANGE_END_DONE, "no such file");
		break;
	default:
		exchange_refuse(exchange, 500, EXCHANGE_END_FILE_FAILED, strerrordesc_np(-err));
	}
}

static void answer_page(struct exchange *exchange, struct reply *reply)
{
	if (exchange_page(exchange, reply->status, true, reply) < 0)
		exchange_abort(exchange, EXCHANGE_END_NO_MEMORY, NULL);
	else
		exchange_reply(exchange, reply, EXCHANGE_END_DONE);
}

/* Return: whether the file is so small, and in memory, that it is sent with the head. */
static bool answer_at_once(struct files *files, struct reply *reply,
			   const struct file_answer *answer)
{
	char *bytes;

	if (answer->length > SMALL_MAX)
		return false;
	bytes = arena_alloc(&files->exchange->arena, answer->length + 1);
	if (!bytes || !file_read_now(files->file->file.fd, bytes, answer->length, answer->first))
		return false;
	reply->body = slice_of(bytes, answer->length);
	exchange_reply(files->exchange, reply, EXCHANGE_END_DONE);
	return true;
}

static void answer_body(struct files *files, struct reply *reply, const struct file_answer *answer)
{
	struct exchange *exchange = files->exchange;
	bool is_head = exchange->request.method == HTTP_METHOD_HEAD;
	struct file_body *body = arena_alloc(&exchange->arena, sizeof(*body));
	struct file_entry *file;

	if (!body) {
		exchange_abort(exchange, EXCHANGE_END_NO_MEMORY, NULL);
		return;
	}
	if (!is_head && answer_at_once(files, reply, answer))
		return;
	if (!exchange_reply_begin(exchange, reply, answer->length))
		return;
	if (is_head || answer->length == 0) {
		exchange_finish(exchange, EXCHANGE_END_DONE, !exchange->is_last);
		return;
	}
	/* It takes this one's place, and the file with it. */
	file = files->file;
	files->file = NULL;
	file_body_start(body, exchange, file, answer->first, answer->length);
}

static struct file_traits traits_of(const struct files *files)
{
	const char *control = files->config->cache_control;

	return (struct file_traits){
		.type = http_media_type_of_file(slice_from_str(files->base)),
		.coding = files->coding < NCODINGS ? slice_from_str(codings[files->coding].coding)
						   : (struct slice){},
		.cache_control = control ? slice_from_str(control) : (struct slice){},
		.varies = files->config->is_precompressed,
	};
}

static void answer(struct files *files)
{
	struct exchange *exchange = files->exchange;
	const struct file_traits traits = traits_of(files);
	struct reply reply = {.fields = {.arena = &exchange->arena}};
	struct file_answer made;
	int64_t now = (int64_t)(clock_wall_us() / 1000000);

	if (file_answer_make(&exchange->request, &files->file->file, &traits, now, &reply.fields,
			     &made) < 0) {
		exchange_abort(exchange, EXCHANGE_END_NO_MEMORY, NULL);
		return;
	}
	reply.status = made.status;
	if (made.status >= 400)
		answer_page(exchange, &reply);
	else if (!made.has_body)
		exchange_reply(exchange, &reply, EXCHANGE_END_DONE);
	else
		answer_body(files, &reply, &made);
}

/* Relative to what the client asked for, whatever a rewrite made of it: "./name/". */
static void redirect_to_directory(struct files *files)
{
	struct exchange *exchange = files->exchange;
	const struct http_target *target = &exchange->request.target;
	const char *slash = memrchr(target->path.ptr, '/', target->path.len);
	struct slice last = slice_skip(target->path, (size_t)(slash - target->path.ptr) + 1);
	struct reply reply = {.status = 301, .fields = {.arena = &exchange->arena}};
	char *location = arena_printf(&exchange->arena, "./%.*s/%s%.*s", SLICE_FMT(last),
				      target->has_query ? "?" : "", SLICE_FMT(target->query));

	if (!location ||
	    http_fields_add_id(&reply.fields, HTTP_FIELD_LOCATION, slice_from_str(location)) < 0)
		exchange_abort(exchange, EXCHANGE_END_NO_MEMORY, NULL);
	else
		exchange_reply(exchange, &reply, EXCHANGE_END_DONE);
}

/* --- One name after another ----------------------------------------------------- */

static bool is_directory_path(const struct files *files)
{
	size_t len = strlen(files->name);

	return len == 0 || files->name[len - 1] == '/';
}

/* Return: NULL: there is none left. */
static const char *next_base(struct files *files)
{
	size_t index = files->next_index++;

	if (!is_directory_path(files))
		return index == 0 ? files->name : NULL;
	if (index >= files->config->nindex)
		return NULL;
	return arena_printf(&files->exchange->arena, "%s%s", files->name,
			    files->config->index[index]);
}

static const char *next_coded(struct files *files)
{
	if (files->next_coding >= files->norder)
		return NULL;
	return arena_printf(&files->exchange->arena, "%s%s", files->base,
			    codings[files->order[files->next_coding++]].ending);
}

/* Return: whether the search is over. */
static bool take_base(struct files *files, struct file_entry *entry)
{
	if (!entry->err && !entry->file.is_directory) {
		files->file = file_entry_ref(entry);
		files->base = arena_strdup(&files->exchange->arena, slice_from_str(entry->name));
		if (files->base)
			return false;
		fail(files, -ENOMEM);
	} else if (!entry->err && !is_directory_path(files)) {
		redirect_to_directory(files);
	} else if (!entry->err || entry->err == -ENOENT) {
		return false;
	} else {
		fail(files, entry->err);
	}
	return true;
}

static bool take_coded(struct files *files, struct file_entry *entry)
{
	if (entry->err || entry->file.is_directory)
		return false;
	file_entry_unref(files->file);
	files->file = file_entry_ref(entry);
	files->coding = files->order[files->next_coding - 1];
	answer(files);
	return true;
}

/* Takes over the reference. Return: whether the search is over. */
static bool take(struct files *files, struct file_entry *entry)
{
	bool is_over = files->base ? take_coded(files, entry) : take_base(files, entry);

	file_entry_unref(entry);
	return is_over;
}

static void advance(struct files *files)
{
	struct worker *worker = exchange_worker(files->exchange);

	for (;;) {
		const char *name = files->base ? next_coded(files) : next_base(files);
		struct file_entry *entry;
		int err;

		if (!name) {
			if (files->base)
				answer(files);
			else
				fail(files, -ENOENT);
			return;
		}
		err = file_lookup(&files->lookup, worker, files->root, name, &entry);
		files->source.awaits_disk = err == -EINPROGRESS;
		if (err == -EINPROGRESS)
			return;
		if (err) {
			fail(files, err);
			return;
		}
		if (take(files, entry))
			return;
	}
}

static void on_found(struct file_lookup *lookup, struct file_entry *entry)
{
	struct files *files = container_of(lookup, struct files, lookup);

	files->source.awaits_disk = false;
	if (!entry)
		fail(files, -ENOMEM);
	else if (!take(files, entry))
		advance(files);
}

/* --- The beginning and the end -------------------------------------------------- */

static void nothing_to_do(struct exchange_source *source)
{
	(void)source;
}

static void on_end(struct exchange_source *source)
{
	struct files *files = container_of(source, struct files, source);

	file_lookup_cancel(&files->lookup);
	file_entry_unref(files->file);
}

/* What the client would rather have than the file itself, the best first. */
static void order_codings(struct files *files)
{
	const struct http_fields *fields = &files->exchange->request.fields;
	unsigned least = http_accepts_coding(fields, slice_of("identity", 8)), weights[NCODINGS];

	files->coding = NCODINGS;
	for (size_t i = 0; i < NCODINGS && files->config->is_precompressed; i++) {
		unsigned weight = http_accepts_coding(fields, slice_from_str(codings[i].coding));
		size_t at = files->norder;

		if (!weight || weight < least)
			continue;
		for (; at > 0 && weights[at - 1] < weight; at--) {
			files->order[at] = files->order[at - 1];
			weights[at] = weights[at - 1];
		}
		files->order[at] = i;
		weights[at] = weight;
		files->norder++;
	}
}

static void refuse_method(struct exchange *exchange)
{
	struct reply reply = {.status = 405, .fields = {.arena = &exchange->arena}};

	if (http_fields_add_id(&reply.fields, HTTP_FIELD_ALLOW, slice_of("GET, HEAD", 9)) < 0)
		exchange_abort(exchange, EXCHANGE_END_NO_MEMORY, NULL);
	else
		answer_page(exchange, &reply);
}

void action_files(struct exchange *exchange)
{
	const struct snapshot_listener *listener = exchange->client->session->listener;
	const struct config_route *route = exchange->route;
	struct files *files = arena_alloc(&exchange->arena, sizeof(*files));
	int err;

	if (!files) {
		exchange_abort(exchange, EXCHANGE_END_NO_MEMORY, NULL);
		return;
	}
	if (exchange->request.method != HTTP_METHOD_GET &&
	    exchange->request.method != HTTP_METHOD_HEAD) {
		refuse_method(exchange);
		return;
	}
	files->exchange = exchange;
	files->config = &route->action.files;
	files->root = listener->roots[route - listener->config->routes];
	files->lookup.on_found = on_found;
	err = exchange->path.len && exchange->path.ptr[0] == '/'
		      ? file_name_of(exchange->path, files->config->shows_hidden, &exchange->arena,
				     &files->name)
		      : -ENOENT;
	if (err) {
		fail(files, err);
		return;
	}
	files->source = (struct exchange_source){.on_room = nothing_to_do, .on_end = on_end};
	exchange->source = &files->source;
	order_codings(files);
	advance(files);
}
