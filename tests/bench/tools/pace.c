/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pace: HTTP requests at a fixed rate, and how long each took counted from the moment it was due.
 * The schedule does not wait for answers, so a stall shows in every request that it held up
 * (no coordinated omission). Every answer must be as long as the first: a static page's are.
 * With TLS a request's time has both sides' cryptography in it, and no handshake.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S   UINT64_C(1000000000)
#define ANSWER_MAX 16384

static const char request[] = "GET / HTTP/1.1\r\nHost: bench\r\n\r\n";

struct connection {
	int fd;
	SSL *ssl; /* NULL: plain */
	uint64_t due_ns;
	size_t have; /* bytes of the answer so far */
	struct connection *next_idle;
};

struct pace {
	struct sockaddr_in target;
	uint64_t rate, total,
		warmup; /* requests a second; requests, and how many are not counted */
	size_t nconnections, answer_len;
	SSL_CTX *tls; /* NULL: plain */
	struct connection *connections, *idle;
	int epoll;
	uint64_t begun_ns;
	uint64_t sent, answered, errors;
	uint64_t *latencies; /* of counted requests, ns */
	size_t nlatencies;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static uint64_t due_of(const struct pace *pace, uint64_t index)
{
	return pace->begun_ns + index * NS_PER_S / pace->rate;
}

static void put_idle(struct pace *pace, struct connection *connection)
{
	connection->next_idle = pace->idle;
	pace->idle = connection;
}

static void secure(const struct pace *pace, struct connection *connection)
{
	connection->ssl = SSL_new(pace->tls);
	if (!connection->ssl || !SSL_set_fd(connection->ssl, connection->fd) ||
	    SSL_connect(connection->ssl) != 1) {
		fprintf(stderr, "pace: the TLS handshake failed\n");
		exit(1);
	}
}

static void open_connection(const struct pace *pace, struct connection *connection)
{
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 ||
	    connect(fd, (const struct sockaddr *)&pace->target, sizeof(pace->target)) < 0) {
		perror("pace: connect");
		exit(1);
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	connection->fd = fd;
	if (pace->tls)
		secure(pace, connection);
}

static void close_connection(struct connection *connection)
{
	SSL_free(connection->ssl);
	connection->ssl = NULL;
	close(connection->fd);
	connection->fd = -1;
}

/* Return: bytes; 0: the end; -1: failed, by EAGAIN where there is nothing now. */
static ssize_t read_answer(struct connection *connection, char *ret, size_t size)
{
	int got;

	if (!connection->ssl)
		return read(connection->fd, ret, size);
	got = SSL_read(connection->ssl, ret, (int)size);
	if (got < 0)
		errno = SSL_get_error(connection->ssl, got) == SSL_ERROR_WANT_READ ? EAGAIN : EIO;
	return got;
}

static bool write_request(struct connection *connection)
{
	const int len = sizeof(request) - 1;

	if (connection->ssl)
		return SSL_write(connection->ssl, request, len) == len;
	return send(connection->fd, request, (size_t)len, MSG_NOSIGNAL) == len;
}

/* One request and answer on a connection of its own, to learn how long answers are. */
static size_t learn_answer_length(const struct pace *pace)
{
	char answer[ANSWER_MAX + 1];
	size_t have = 0, body;
	struct connection connection = {};
	char *end = NULL, *field;

	open_connection(pace, &connection);
	if (!write_request(&connection))
		return 0;
	while (!end && have < ANSWER_MAX) {
		ssize_t got = read_answer(&connection, answer + have, ANSWER_MAX - have);

		if (got <= 0)
			return 0;
		have += (size_t)got;
		answer[have] = '\0';
		end = strstr(answer, "\r\n\r\n");
	}
	close_connection(&connection);
	field = strcasestr(answer, "\r\nContent-Length:");
	if (!end || !field || field > end)
		return 0;
	body = strtoul(field + strlen("\r\nContent-Length:"), NULL, 10);
	return (size_t)(end - answer) + 4 + body;
}

static void fail(struct pace *pace, struct connection *connection)
{
	pace->errors++;
	pace->answered++;
	close_connection(connection);
}

static void send_request(struct pace *pace, struct connection *connection)
{
	connection->due_ns = due_of(pace, pace->sent++);
	connection->have = 0;
	if (!write_request(connection))
		fail(pace, connection);
}

static void send_what_is_due(struct pace *pace)
{
	uint64_t now = now_ns();

	while (pace->idle && pace->sent < pace->total && due_of(pace, pace->sent) <= now) {
		struct connection *connection = pace->idle;

		pace->idle = connection->next_idle;
		send_request(pace, connection);
	}
}

static void on_readable(struct pace *pace, struct connection *connection)
{
	char buf[ANSWER_MAX];
	ssize_t got = read_answer(connection, buf, sizeof(buf));

	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0) {
		fail(pace, connection);
		return;
	}
	connection->have += (size_t)got;
	if (connection->have < pace->answer_len)
		return;
	if (pace->answered++ >= pace->warmup)
		pace->latencies[pace->nlatencies++] = now_ns() - connection->due_ns;
	put_idle(pace, connection);
}

static void wait_and_read(struct pace *pace)
{
	uint64_t now = now_ns(), due = due_of(pace, pace->sent);
	uint64_t left = !pace->idle || pace->sent == pace->total ? NS_PER_S
			: due > now                              ? due - now
								 : 0;
	struct timespec timeout = {(time_t)(left / NS_PER_S), (long)(left % NS_PER_S)};
	struct epoll_event events[128];
	int n = epoll_pwait2(pace->epoll, events, 128, &timeout, NULL);

	for (int i = 0; i < n; i++)
		on_readable(pace, events[i].data.ptr);
}

static void run(struct pace *pace)
{
	uint64_t deadline;

	pace->begun_ns = now_ns();
	deadline = due_of(pace, pace->total) + 10 * NS_PER_S;
	while (pace->answered < pace->total && now_ns() < deadline) {
		send_what_is_due(pace);
		wait_and_read(pace);
	}
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static double percentile_us(const struct pace *pace, double percent)
{
	size_t index = (size_t)((double)(pace->nlatencies - 1) * percent / 100.0);

	return (double)pace->latencies[index] / 1000.0;
}

static int report(struct pace *pace)
{
	double seconds = (double)(now_ns() - pace->begun_ns) / (double)NS_PER_S;

	if (pace->nlatencies == 0) {
		fprintf(stderr, "pace: no answers\n");
		return 1;
	}
	qsort(pace->latencies, pace->nlatencies, sizeof(*pace->latencies), compare);
	printf("{\"sent\": %llu, \"answered\": %llu, \"errors\": %llu, \"seconds\": %.3f, "
	       "\"p50_us\": %.1f, \"p90_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, "
	       "\"max_us\": %.1f}\n",
	       (unsigned long long)pace->sent, (unsigned long long)pace->answered,
	       (unsigned long long)pace->errors, seconds, percentile_us(pace, 50),
	       percentile_us(pace, 90), percentile_us(pace, 99), percentile_us(pace, 99.9),
	       percentile_us(pace, 100));
	return pace->errors || pace->answered < pace->total;
}

static void open_all(struct pace *pace)
{
	for (size_t i = 0; i < pace->nconnections; i++) {
		struct connection *connection = &pace->connections[i];
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};

		open_connection(pace, connection);
		fcntl(connection->fd, F_SETFL, O_NONBLOCK);
		epoll_ctl(pace->epoll, EPOLL_CTL_ADD, connection->fd, &event);
		put_idle(pace, connection);
	}
}

int main(int argc, char **argv)
{
	struct pace pace = {.target.sin_family = AF_INET, .epoll = epoll_create1(EPOLL_CLOEXEC)};
	double seconds;

	if (argc < 6 || argc > 7 || (argc == 7 && strcmp(argv[6], "tls") != 0) ||
	    inet_pton(AF_INET, argv[1], &pace.target.sin_addr) != 1) {
		fprintf(stderr,
			"usage: pace IPV4 PORT REQUESTS_PER_SECOND CONNECTIONS SECONDS [tls]\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	if (argc == 7)
		pace.tls = SSL_CTX_new(TLS_client_method());
	pace.target.sin_port = htons((uint16_t)atoi(argv[2]));
	pace.rate = strtoull(argv[3], NULL, 10);
	pace.nconnections = strtoull(argv[4], NULL, 10);
	seconds = strtod(argv[5], NULL);
	pace.total = (uint64_t)((double)pace.rate * seconds);
	pace.warmup = pace.total / 10;
	pace.connections = calloc(pace.nconnections, sizeof(*pace.connections));
	pace.latencies = calloc(pace.total + 1, sizeof(*pace.latencies));
	pace.answer_len = learn_answer_length(&pace);
	if (!pace.connections || !pace.latencies || pace.answer_len == 0 || pace.total == 0) {
		fprintf(stderr, "pace: nothing to measure\n");
		return 1;
	}
	/* The default slack of 50 us would show in every latency. */
	prctl(PR_SET_TIMERSLACK, 1UL);
	open_all(&pace);
	fprintf(stderr, "open\n"); /* whoever wants to disturb it may begin */
	run(&pace);
	return report(&pace);
}
