// SPDX-License-Identifier: Apache-2.0
/* The client's end of the control protocol: a JSON object a line each way, over a unix socket. */
#include "ctl/ctl_internal.h"
#include "core/address.h"
#include "core/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define PROTOCOL_VERSION 1
#define ANSWER_MAX       (256u << 20) /* more is a daemon gone mad */
#define READ_SIZE        65536

static int connect_to(const char *path, uint32_t timeout_ms)
{
	struct timeval timeout = {.tv_sec = timeout_ms / 1000,
				  .tv_usec = (suseconds_t)(timeout_ms % 1000) * 1000};
	struct strbuf text = {0};
	struct address address;
	int fd, r;

	strbuf_printf(&text, "unix:%s", path);
	r = text.is_failed ? -ENOMEM : address_parse(slice_of(text.text, text.len), &address);
	strbuf_done(&text);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* Holds for connect() as well: a daemon that hangs lets its backlog run full. */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (connect(fd, &address.sa, address.len) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

int client_open(const char *path, uint32_t timeout_ms, struct client *ret)
{
	int fd = connect_to(path, timeout_ms);

	if (fd < 0)
		return fd == -EAGAIN ? -ETIMEDOUT : fd;
	*ret = (struct client){.fd = fd, .timeout_ms = timeout_ms};
	return 0;
}

void client_close(struct client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
	strbuf_done(&client->input);
}

static int send_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : errno == EPIPE ? -ECONNRESET : -errno;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

static int send_request(struct client *client, json_t *request)
{
	char *text;
	int r;

	json_object_set_new(request, "v", json_integer(PROTOCOL_VERSION));
	text = json_dumps(request, JSON_COMPACT);
	if (!text)
		return -ENOMEM;
	r = send_all(client->fd, text, strlen(text));
	free(text);
	return r < 0 ? r : send_all(client->fd, "\n", 1);
}

static int wait_readable(int fd, uint64_t deadline_ms)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};
	uint64_t now_ms = clock_monotonic_ms();
	int r;

	if (now_ms >= deadline_ms)
		return -ETIMEDOUT;
	r = poll(&pollfd, 1, (int)(deadline_ms - now_ms));
	if (r < 0)
		return errno == EINTR ? 0 : -errno;
	return r == 0 ? -ETIMEDOUT : 0;
}

static int read_more(struct client *client)
{
	char bytes[READ_SIZE];
	ssize_t n = recv(client->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n == 0)
		return -ECONNRESET;
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	strbuf_append(&client->input, slice_of(bytes, (size_t)n));
	if (client->input.is_failed)
		return -ENOMEM;
	return client->input.len > ANSWER_MAX ? -EPROTO : 0;
}

/* @ret_len: of the first line in the input, without its newline. */
static int read_line(struct client *client, size_t *ret_len)
{
	uint64_t deadline_ms = clock_monotonic_ms() + client->timeout_ms;
	size_t searched = 0;

	for (;;) {
		size_t len = client->input.len;
		char *end = len > searched
				    ? memchr(client->input.text + searched, '\n', len - searched)
				    : NULL;
		int r;

		if (end) {
			*ret_len = (size_t)(end - client->input.text);
			return 0;
		}
		searched = len;
		r = wait_readable(client->fd, deadline_ms);
		if (r == 0)
			r = read_more(client);
		if (r < 0)
			return r;
	}
}

static void drop_line(struct client *client, size_t len)
{
	client->input.len -= len + 1;
	memmove(client->input.text, client->input.text + len + 1, client->input.len);
}

/* The envelope: {"v":1,"ok":true,"result":{}} or {"v":1,"ok":false,"error":{"message":""}}. */
static int open_answer(json_t *answer, json_t **ret_result, struct strbuf *ret_error)
{
	json_t *ok = json_object_get(answer, "ok"), *result = json_object_get(answer, "result");

	if (json_integer_value(json_object_get(answer, "v")) != PROTOCOL_VERSION)
		return -EPROTO;
	if (json_is_false(ok)) {
		strbuf_append_str(ret_error,
				  member_text(json_object_get(answer, "error"), "message"));
		return -EREMOTEIO;
	}
	if (!json_is_true(ok) || !json_is_object(result))
		return -EPROTO;
	*ret_result = json_incref(result);
	return 0;
}

int client_call(struct client *client, json_t *request, json_t **ret_result,
		struct strbuf *ret_error)
{
	json_t *answer;
	size_t len = 0;
	int r = send_request(client, request);

	if (r == 0)
		r = read_line(client, &len);
	if (r < 0)
		return r;
	answer = json_loadb(client->input.text, len, 0, NULL);
	drop_line(client, len);
	r = open_answer(answer, ret_result, ret_error);
	json_decref(answer);
	return r;
}

void client_explain(const char *path, int error, struct strbuf *out)
{
	strbuf_printf(out, "%s: ", path);
	switch (error) {
	case -ENOENT:
		strbuf_append_str(out, "there is no such socket. Is sluiced running, and is "
				       "admin.socket in its configuration this path?");
		break;
	case -ECONNREFUSED:
		strbuf_append_str(out,
				  "nobody listens there: sluiced has ended without removing its "
				  "socket, and wants starting again, or this is no socket.");
		break;
	case -EACCES:
		strbuf_append_str(out,
				  "permission denied. Run as root, or as a member of the group "
				  "in admin.socket_group.");
		break;
	case -ETIMEDOUT:
		strbuf_append_str(out, "no answer in time. Is sluiced stopped or overloaded? "
				       "--timeout waits longer.");
		break;
	case -ECONNRESET:
		strbuf_append_str(out,
				  "the daemon closed the connection without an answer. Its "
				  "log may say why; too many control connections is one reason.");
		break;
	case -EPROTO:
		strbuf_append_str(out, "what answers is not sluiced, or speaks another version of "
				       "the control protocol.");
		break;
	default:
		strbuf_printf(out, "cannot talk to the daemon: %s", strerror(-error));
	}
}
