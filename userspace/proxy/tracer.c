// SPDX-License-Identifier: Apache-2.0
/* The thread that sends spans, and the queue in front of it. */
#include "proxy/tracer.h"

#include "core/json.h"
#include "core/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define QUEUE_MAX_BYTES (4u << 20)
#define TIMEOUT_S       2
#define PATH_SIZE       256

struct target {
	struct address collector;
	char path[PATH_SIZE], service[65];
};

struct tracer {
	pthread_mutex_t lock; /* of all but the thread itself */
	pthread_cond_t changed;
	pthread_t thread;
	bool is_running, is_stopping, was_unreachable;
	struct target target;
	struct span_batch queue;
	struct tracer_facts facts;
};

/* --- One batch over a connection of its own --------------------------------------- */

static void write_request(const struct target *target, const struct span_batch *batch,
			  struct strbuf *out)
{
	static const char begin[] = "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":"
				    "\"service.name\",\"value\":{\"stringValue\":";
	static const char middle[] = "}}]},\"scopeSpans\":[{\"scope\":{\"name\":\"sluice\","
				     "\"version\":\"" SLUICE_VERSION "\"},\"spans\":[";
	static const char end[] = "]}]}]}";
	char host[ADDRESS_TEXT_SIZE];
	struct strbuf service = {};

	json_append_string(&service, slice_from_str(target->service));
	strbuf_printf(out,
		      "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
		      "Content-Length: %zu\r\nConnection: close\r\n\r\n",
		      target->path, address_format(&target->collector, host),
		      sizeof(begin) + sizeof(middle) + sizeof(end) - 3 + service.len +
			      batch->json.len);
	strbuf_append_str(out, begin);
	strbuf_append(out, slice_of(service.text, service.len));
	strbuf_append_str(out, middle);
	strbuf_append(out, slice_of(batch->json.text, batch->json.len));
	strbuf_append_str(out, end);
	out->is_failed |= service.is_failed;
	strbuf_done(&service);
}

static int connect_to(const struct address *address)
{
	const struct timeval patience = {.tv_sec = TIMEOUT_S};
	int fd = socket(address->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, &address->sa, address->len) == 0)
		return fd;
	err = errno == EINPROGRESS ? -ETIMEDOUT : -errno;
	close(fd);
	return err;
}

static int send_all(int fd, const struct strbuf *bytes)
{
	size_t done = 0;
	ssize_t sent;

	while (done < bytes->len) {
		sent = send(fd, bytes->text + done, bytes->len - done, MSG_NOSIGNAL);
		if (sent < 0 && errno != EINTR)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (sent > 0)
			done += (size_t)sent;
	}
	return 0;
}

/* The status line is enough: what else it says nobody reads. */
static int read_verdict(int fd)
{
	static const char prefix[] = "HTTP/1.1 2";
	char line[sizeof(prefix)] = "";
	ssize_t len = recv(fd, line, sizeof(prefix) - 1, MSG_WAITALL);

	if (len < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	line[7] = '1'; /* HTTP/1.0 will do */
	return strcmp(line, prefix) == 0 ? 0 : -EPROTO;
}

static int deliver(const struct target *target, const struct span_batch *batch)
{
	struct strbuf request = {};
	int fd = connect_to(&target->collector), err;

	if (fd < 0)
		return fd;
	write_request(target, batch, &request);
	err = request.is_failed ? -ENOMEM : send_all(fd, &request);
	if (!err)
		err = read_verdict(fd);
	strbuf_done(&request);
	close(fd);
	return err;
}

/* --- The thread ------------------------------------------------------------------- */

/* Once when it begins, once when it is over. */
static void tell(struct tracer *tracer, const struct target *target, int err)
{
	char text[ADDRESS_TEXT_SIZE];

	if (err && !tracer->was_unreachable)
		log_warn("tracing: collector %s: %s; spans are lost",
			 address_format(&target->collector, text),
			 err == -EPROTO ? "it does not take spans" : strerror(-err));
	else if (!err && tracer->was_unreachable)
		log_info("tracing: collector %s takes spans again",
			 address_format(&target->collector, text));
	tracer->was_unreachable = err;
}

/* With the lock, which it gives up while it sends. */
static void send_queue(struct tracer *tracer)
{
	struct span_batch batch = tracer->queue;
	struct target target = tracer->target;
	int err;

	tracer->queue = (struct span_batch){};
	pthread_mutex_unlock(&tracer->lock);
	err = deliver(&target, &batch);
	strbuf_done(&batch.json);
	pthread_mutex_lock(&tracer->lock);
	tell(tracer, &target, err);
	*(err ? &tracer->facts.failed : &tracer->facts.sent) += batch.count;
}

static void *run(void *context)
{
	struct tracer *tracer = context;

	pthread_mutex_lock(&tracer->lock);
	while (!tracer->is_stopping || tracer->queue.count) {
		if (tracer->queue.count)
			send_queue(tracer);
		else
			pthread_cond_wait(&tracer->changed, &tracer->lock);
	}
	pthread_mutex_unlock(&tracer->lock);
	return NULL;
}

/* --- For others ------------------------------------------------------------------- */

struct tracer *tracer_new(void)
{
	struct tracer *tracer = calloc(1, sizeof(*tracer));

	if (!tracer)
		return NULL;
	pthread_mutex_init(&tracer->lock, NULL);
	pthread_cond_init(&tracer->changed, NULL);
	return tracer;
}

void tracer_free(struct tracer *tracer)
{
	if (!tracer)
		return;
	pthread_mutex_lock(&tracer->lock);
	tracer->is_stopping = true;
	pthread_cond_signal(&tracer->changed);
	pthread_mutex_unlock(&tracer->lock);
	if (tracer->is_running)
		pthread_join(tracer->thread, NULL);
	strbuf_done(&tracer->queue.json);
	pthread_cond_destroy(&tracer->changed);
	pthread_mutex_destroy(&tracer->lock);
	free(tracer);
}

int tracer_configure(struct tracer *tracer, const struct config_tracing *config)
{
	struct target target = {.collector = config->collector};

	if (!config->collector.len)
		return 0;
	snprintf(target.path, sizeof(target.path), "%s", config->path);
	snprintf(target.service, sizeof(target.service), "%s", config->service);
	pthread_mutex_lock(&tracer->lock);
	tracer->target = target;
	pthread_mutex_unlock(&tracer->lock);
	if (tracer->is_running)
		return 0;
	tracer->is_running = pthread_create(&tracer->thread, NULL, run, tracer) == 0;
	return tracer->is_running ? 0 : -EAGAIN;
}

static void append(struct span_batch *to, const struct span_batch *from)
{
	if (to->count)
		strbuf_append_str(&to->json, ",");
	strbuf_append(&to->json, slice_of(from->json.text, from->json.len));
	to->count += from->count;
}

void tracer_give(struct tracer *tracer, struct span_batch *batch)
{
	bool has_room;

	pthread_mutex_lock(&tracer->lock);
	has_room = tracer->is_running && !batch->json.is_failed &&
		   tracer->queue.json.len + batch->json.len <= QUEUE_MAX_BYTES;
	if (has_room)
		append(&tracer->queue, batch);
	else
		tracer->facts.dropped += batch->count;
	pthread_cond_signal(&tracer->changed);
	pthread_mutex_unlock(&tracer->lock);
	batch->count = 0;
	batch->json.len = 0;
	batch->json.is_failed = false;
}

void tracer_read(struct tracer *tracer, struct tracer_facts *ret)
{
	pthread_mutex_lock(&tracer->lock);
	*ret = tracer->facts;
	pthread_mutex_unlock(&tracer->lock);
}
