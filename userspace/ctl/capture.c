// SPDX-License-Identifier: Apache-2.0
/*
 * sluicectl capture: asks the daemon for refused packets until the time or their number has passed,
 * and writes them as pcapng (draft-ietf-opsawg-pcapng) with the reason as each packet's comment.
 */
#include "ctl/ctl_internal.h"
#include "core/hex.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define POLL_MS         200
#define DEFAULT_SECONDS 10
#define FRAME_MAX       65535

#define BLOCK_SECTION   0x0a0d0d0au
#define BLOCK_INTERFACE 1u
#define BLOCK_PACKET    6u
#define LINK_ETHERNET   1u
#define OPTION_COMMENT  1u

struct capture {
	struct client client;
	FILE *out;
	uint64_t left;     /* packets */
	uint64_t began_us; /* of the wall; what an earlier capture has left is older */
	bool is_failed;
};

/* --- pcapng, in this machine's byte order ------------------------------------------------------*/

static void append32(struct strbuf *block, uint32_t value)
{
	strbuf_append(block, slice_of(&value, sizeof(value)));
}

static void append_padded(struct strbuf *block, struct slice bytes)
{
	static const char zeros[4];

	strbuf_append(block, bytes);
	strbuf_append(block, slice_of(zeros, (4 - bytes.len % 4) % 4));
}

static void write_block(struct capture *capture, uint32_t type, const struct strbuf *body)
{
	uint32_t len = (uint32_t)body->len + 12;
	const uint32_t head[2] = {type, len};

	if (body->is_failed || fwrite(head, sizeof(head), 1, capture->out) != 1 ||
	    fwrite(body->text, body->len, 1, capture->out) != 1 ||
	    fwrite(&len, sizeof(len), 1, capture->out) != 1)
		capture->is_failed = true;
}

static void write_head(struct capture *capture)
{
	struct strbuf section = {}, interface = {};

	append32(&section, 0x1a2b3c4d);
	append32(&section, 1); /* version 1.0 */
	append32(&section, UINT32_MAX);
	append32(&section, UINT32_MAX);
	write_block(capture, BLOCK_SECTION, &section);
	append32(&interface, LINK_ETHERNET);
	append32(&interface, 0); /* no limit of length */
	write_block(capture, BLOCK_INTERFACE, &interface);
	strbuf_done(&section);
	strbuf_done(&interface);
}

static void write_packet(struct capture *capture, const json_t *packet, struct slice frame)
{
	uint64_t wall_us = member_count(packet, "wall_us");
	struct strbuf body = {};
	char comment[96];
	int len = snprintf(comment, sizeof(comment), "%.64s, %s", member_text(packet, "reason"),
			   json_is_true(json_object_get(packet, "dropped")) ? "dropped" : "passed");

	append32(&body, 0);
	append32(&body, (uint32_t)(wall_us >> 32));
	append32(&body, (uint32_t)wall_us);
	append32(&body, (uint32_t)frame.len);
	append32(&body, (uint32_t)member_count(packet, "length"));
	append_padded(&body, frame);
	append32(&body, OPTION_COMMENT | (uint32_t)len << 16);
	append_padded(&body, slice_of(comment, (size_t)len));
	append32(&body, 0);
	write_block(capture, BLOCK_PACKET, &body);
	strbuf_done(&body);
}

/* --- Packets of an answer ----------------------------------------------------------------------*/

/* Return: bytes; 0: it is not hexadecimal. */
static size_t read_hex(const char *text, char *ret, size_t cap)
{
	size_t len = strlen(text) / 2;

	if (len > cap)
		return 0;
	for (size_t i = 0; i < len; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return 0;
		ret[i] = (char)(high << 4 | low);
	}
	return len;
}

static void write_answer(struct capture *capture, const json_t *result)
{
	static char frame[FRAME_MAX];
	const json_t *packet;

	for (size_t i = 0; capture->left && (packet = member_element(result, "packets", i)); i++) {
		size_t len = read_hex(member_text(packet, "frame"), frame, sizeof(frame));

		if (!len || member_count(packet, "wall_us") < capture->began_us)
			continue;
		write_packet(capture, packet, slice_of(frame, len));
		capture->left--;
	}
	if (fflush(capture->out) != 0)
		capture->is_failed = true;
}

/* --- Asking ------------------------------------------------------------------------------------*/

static int ask(struct capture *capture, const char *action, uint32_t seconds,
	       struct strbuf *ret_error)
{
	json_t *request = json_pack("{s:s, s:s}", "command", "guard", "action", action);
	json_t *result = NULL;
	int r;

	if (seconds)
		json_object_set_new(request, "seconds", json_integer(seconds));
	r = client_call(&capture->client, request, &result, ret_error);
	if (!r)
		write_answer(capture, result);
	json_decref(result);
	json_decref(request);
	return r;
}

static uint64_t now_us(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static int follow(struct capture *capture, uint32_t seconds, struct strbuf *ret_error)
{
	uint64_t end_us = now_us(CLOCK_MONOTONIC) + seconds * UINT64_C(1000000);
	int r;

	capture->began_us = now_us(CLOCK_REALTIME);
	r = ask(capture, "capture", seconds, ret_error);

	if (!r)
		write_head(capture);
	while (!r && capture->left && !capture->is_failed && now_us(CLOCK_MONOTONIC) < end_us) {
		usleep(POLL_MS * 1000);
		r = ask(capture, "captured", 0, ret_error);
	}
	return r;
}

static int report(const struct ctl_options *options, int r, const struct strbuf *error,
		  const struct ctl_screen *screen)
{
	struct strbuf text = {};

	if (r == -EREMOTEIO)
		strbuf_append_str(&text, error->text ? error->text : "refused");
	else
		client_explain(options->socket, r, &text);
	fprintf(screen->err, "sluicectl: %s\n", text.text ? text.text : "out of memory");
	strbuf_done(&text);
	return r == -EREMOTEIO ? CTL_EXIT_FAILED : CTL_EXIT_UNREACHABLE;
}

int capture_run(const struct ctl_options *options, const struct ctl_screen *screen)
{
	struct capture capture = {.client = {.fd = -1}, .out = screen->out};
	struct strbuf error = {};
	int r, status = CTL_EXIT_OK;

	capture.left = options->limit ? options->limit : UINT64_MAX;
	if (!options->output && isatty(fileno(screen->out))) {
		fprintf(screen->err, "sluicectl: pcapng is not for a terminal: --output FILE, or "
				     "send it on: sluicectl capture | tcpdump -r -\n");
		return CTL_EXIT_USAGE;
	}
	if (options->output)
		capture.out = fopen(options->output, "wbe");
	if (!capture.out) {
		fprintf(screen->err, "sluicectl: %s: %s\n", options->output, strerror(errno));
		return CTL_EXIT_FAILED;
	}
	r = client_open(options->socket, options->timeout_ms, &capture.client);
	if (!r)
		r = follow(&capture, options->seconds ? options->seconds : DEFAULT_SECONDS, &error);
	if (r)
		status = report(options, r, &error, screen);
	client_close(&capture.client);
	strbuf_done(&error);
	if (options->output && fclose(capture.out) != 0)
		capture.is_failed = true;
	if (!status && capture.is_failed) {
		fprintf(screen->err, "sluicectl: the packets could not be written\n");
		status = CTL_EXIT_FAILED;
	}
	return status;
}
