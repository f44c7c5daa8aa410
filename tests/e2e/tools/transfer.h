/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_TRANSFER_H
#define TESTS_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/*
 * One connection that sends one patterned stream and checks another at the same time. Client and
 * server of the traffic tool drive the same code; only who asks for what differs.
 */
#define OUTCOMES(X)                                                                    \
	X(OPEN, "open")       /* not finished */                                       \
	X(OK, "ok")           /* everything came, unchanged, and both ends said FIN */ \
	X(CORRUPT, "corrupt") /* other bytes than were sent, or too many */            \
	X(SHORT, "short")     /* FIN before the last byte */                           \
	X(RESET, "reset")                                                              \
	X(REFUSED, "refused")                                                          \
	X(ABORTED, "aborted") /* we sent the reset, as asked */                        \
	X(TIMEOUT, "timeout")                                                          \
	X(FAILED, "failed")

enum outcome {
#define X(name, text) OUTCOME_##name,
	OUTCOMES(X)
#undef X
		OUTCOME_COUNT
};

/* When an end may send and when it says FIN. */
enum close_order {
	CLOSE_BOTH,   /* each end sends at once and says FIN after its last byte */
	CLOSE_CLIENT, /* the server sends only after the client's FIN */
	CLOSE_SERVER, /* the client sends only after the server's FIN */
	CLOSE_HOLD,   /* nobody says FIN by itself: the connection idles when all is said */
};

/* What a client asks of the server; the first bytes of a connection. Host byte order. */
struct request {
	uint32_t magic;
	uint32_t order;
	uint64_t id;
	uint64_t seed;
	uint64_t up, down;    /* bytes from the client, to the client; this header not counted */
	uint64_t read_rate;   /* of the server, bytes a second; 0: as fast as it can */
	uint64_t reset_after; /* the server resets after so many bytes both ways; 0: never */
	uint64_t burst, pause_us; /* either end pauses after so many bytes that it sent; 0: never */
	uint64_t keepalive_s;     /* of both ends; 0: none */
};

#define REQUEST_MAGIC 0x51c1ce01u

struct transfer {
	int fd;
	int epoll;
	void *owner;
	uint32_t events; /* that epoll watches */
	uint64_t send_seed, send_total, sent;
	uint64_t receive_seed, receive_total, received;
	uint64_t read_rate, reset_after, started_us;
	uint64_t burst, pause_us;
	bool waits_for_fin; /* sends only after the peer's FIN */
	bool holds;         /* says no FIN by itself */
	bool fin_sent, fin_seen;
	enum outcome outcome;
};

const char *outcome_name(enum outcome outcome);
uint64_t now_us(void);

/* Sends and receives what is possible now, and renews what epoll watches.
 * Return: true while the transfer is open; when false its fd is closed and outcome is set. */
bool transfer_step(struct transfer *transfer);

/* For the RST that is lost: nobody sends it again unasked. */
void transfer_keep_alive(int fd, int seconds);

/* Something of it goes by the clock: it wants a step now and then, whatever epoll says. */
bool transfer_is_clocked(const struct transfer *transfer);

/* All bytes of both streams are through. */
bool transfer_is_complete(const struct transfer *transfer);

void transfer_end(struct transfer *transfer, enum outcome outcome);

/* "192.0.2.1:80", "[::1]:80", "unix:/path". Return: 0; -EINVAL. */
int parse_address(const char *text, struct sockaddr_storage *ret, socklen_t *ret_len);

#endif
