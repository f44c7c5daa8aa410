// SPDX-License-Identifier: Apache-2.0
/* The access log: formats ended connections and writes them out in batches. */
#include "proxy/access_log.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char stdout_path[] = "stdout";

static _Atomic uint64_t lost_lines;

static int open_path(const char *path, struct sink *ret)
{
	int fd;

	if (strcmp(path, stdout_path) == 0) {
		sink_open(STDOUT_FILENO, ret);
		return 0;
	}
	/* A FIFO that nobody reads is an error, not something to wait for. */
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640);
	if (fd < 0)
		return -errno;
	sink_take(fd, ret);
	return 0;
}

int access_log_open(const struct config_access_log *config, struct access_log **ret)
{
	struct access_log *log = calloc(1, sizeof(*log));
	int err = -ENOMEM;

	if (!log)
		return -ENOMEM;
	log->refs = 1;
	log->format = config->format;
	log->path = strdup(config->path);
	if (!log->path)
		goto fail;
	err = open_path(config->path, &log->sink);
	if (err)
		goto fail;
	*ret = log;
	return 0;
fail:
	access_log_unref(log);
	return err;
}

struct access_log *access_log_ref(struct access_log *log)
{
	atomic_fetch_add(&log->refs, 1);
	return log;
}

void access_log_unref(struct access_log *log)
{
	if (!log || atomic_fetch_sub(&log->refs, 1) != 1)
		return;
	sink_close(&log->sink);
	free(log->path);
	free(log);
}

int access_log_reopen(struct access_log *log)
{
	struct sink fresh;
	int err;

	if (strcmp(log->path, stdout_path) == 0)
		return 0;
	err = open_path(log->path, &fresh);
	return err ? err : sink_replace(&log->sink, &fresh);
}

static void append_ms(struct strbuf *out, int64_t us)
{
	if (us < 0)
		strbuf_append_str(out, "-");
	else
		strbuf_printf(out, "%" PRId64 ".%03" PRId64, us / 1000, us % 1000);
}

static const char *or_dash(const char *text)
{
	return text && text[0] ? text : "-";
}

/* "TLSv1.3:TLS_AES_128_GCM_SHA256:resumed", why there is none, or "-". */
static void append_leg(struct strbuf *out, const struct secure_leg *leg)
{
	if (leg->version)
		strbuf_printf(out, "%s:%s%s", leg->version, leg->cipher,
			      leg->is_resumed ? ":resumed" : "");
	else
		strbuf_append_str(out, leg->failure ? tls_failure_name(leg->failure) : "-");
}

static void format_text(const struct access_record *r, struct strbuf *out)
{
	char client[ADDRESS_TEXT_SIZE], local[ADDRESS_TEXT_SIZE], backend[ADDRESS_TEXT_SIZE];
	char time[CLOCK_RFC3339_SIZE];

	strbuf_printf(out, "%s %s %s -> %s %s/%s %s",
		      clock_format_rfc3339(r->started_wall_us, time), r->listener,
		      address_format(r->client, client), address_format(r->local, local),
		      or_dash(r->pool), or_dash(r->endpoint), address_format(r->backend, backend));
	strbuf_printf(out, " in=%" PRIu64 " out=%" PRIu64 " ms=", r->bytes_in, r->bytes_out);
	append_ms(out, r->queue_us);
	strbuf_append_str(out, "/");
	append_ms(out, r->connect_us);
	strbuf_append_str(out, "/");
	append_ms(out, r->first_byte_us);
	strbuf_append_str(out, "/");
	append_ms(out, (int64_t)r->duration_us);
	strbuf_printf(out, " tries=%u end=%s rung=%s sni=%s tls=", r->tries,
		      connection_end_name(r->end), r->rung, or_dash(r->sni));
	append_leg(out, &r->client_tls);
	strbuf_append_str(out, "/");
	append_leg(out, &r->backend_tls);
	strbuf_append_str(out, "\n");
}

static void json_text(struct strbuf *out, const char *name, const char *text)
{
	if (!text || !text[0])
		return;
	strbuf_printf(out, ",\"%s\":", name);
	json_append_string(out, slice_from_str(text));
}

static void json_address(struct strbuf *out, const char *name, const struct address *address)
{
	char text[ADDRESS_TEXT_SIZE];

	if (address->len)
		json_text(out, name, address_format(address, text));
}

static void json_us(struct strbuf *out, const char *name, int64_t us)
{
	if (us >= 0)
		strbuf_printf(out, ",\"%s\":%" PRId64, name, us);
}

static void json_leg(struct strbuf *out, const char *name, const struct secure_leg *leg)
{
	if (!leg->version && !leg->failure)
		return;
	strbuf_printf(out, ",\"%s\":{", name);
	if (leg->version)
		strbuf_printf(out, "\"version\":\"%s\",\"cipher\":\"%s\",\"resumed\":%s}",
			      leg->version, leg->cipher, leg->is_resumed ? "true" : "false");
	else
		strbuf_printf(out, "\"failure\":\"%s\"}", tls_failure_name(leg->failure));
}

static void format_json(const struct access_record *r, struct strbuf *out)
{
	char time[CLOCK_RFC3339_SIZE];

	strbuf_printf(out, "{\"time\":\"%s\",\"id\":%" PRIu64 ",\"worker\":%u",
		      clock_format_rfc3339(r->started_wall_us, time), r->id, r->worker);
	json_text(out, "listener", r->listener);
	json_address(out, "client", r->client);
	if (!address_equal(r->peer, r->client))
		json_address(out, "peer", r->peer);
	json_address(out, "local", r->local);
	json_text(out, "pool", r->pool);
	json_text(out, "endpoint", r->endpoint);
	json_address(out, "backend", r->backend);
	json_text(out, "sni", r->sni);
	json_leg(out, "client_tls", &r->client_tls);
	json_leg(out, "backend_tls", &r->backend_tls);
	strbuf_printf(out, ",\"bytes_in\":%" PRIu64 ",\"bytes_out\":%" PRIu64, r->bytes_in,
		      r->bytes_out);
	json_us(out, "queue_us", r->queue_us);
	json_us(out, "connect_us", r->connect_us);
	json_us(out, "first_byte_us", r->first_byte_us);
	json_us(out, "duration_us", (int64_t)r->duration_us);
	strbuf_printf(out, ",\"tries\":%u", r->tries);
	json_text(out, "end", connection_end_name(r->end));
	json_text(out, "rung", r->rung);
	json_text(out, "reason", r->reason);
	strbuf_append_str(out, "}\n");
}

void access_log_format(enum config_access_format format, const struct access_record *record,
		       struct strbuf *lines)
{
	if (format == CONFIG_ACCESS_JSON)
		format_json(record, lines);
	else
		format_text(record, lines);
}

static uint64_t count_lines(const char *bytes, size_t len)
{
	uint64_t count = 0;

	for (size_t i = 0; i < len; i++)
		count += bytes[i] == '\n';
	return count;
}

/* Whose reader is slow is not told of: the daemon's own log may go into the same pipe. */
static void lose(const struct access_log *log, const char *bytes, size_t len, int error)
{
	uint64_t count = count_lines(bytes, len);

	atomic_fetch_add(&lost_lines, count);
	if (error != EAGAIN)
		log_warn("access log %s: %" PRIu64 " lines are lost: %s", log->path, count,
			 strerror(error));
}

uint64_t access_log_lost_lines(void)
{
	return lost_lines;
}

void access_log_write(struct access_log *log, struct strbuf *lines)
{
	size_t done = 0;

	while (!lines->is_failed && done < lines->len) {
		ssize_t n = sink_write(&log->sink, lines->text + done, lines->len - done);

		if (n < 0) {
			lose(log, lines->text + done, lines->len - done, (int)-n);
			break;
		}
		done += (size_t)n;
	}
	/* The memory is kept for the next round, unless a burst has made it large. */
	lines->len = 0;
	lines->is_failed = false;
	if (lines->cap > 65536)
		strbuf_done(lines);
}
