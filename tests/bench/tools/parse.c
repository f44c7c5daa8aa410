/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parse: what it takes to read a browser's GET, to read it and strip it for the way on, and to
 * write it again, in nanoseconds and, where the machine counts them, instructions.
 *
 *   make -C tests/bench/tools && build/tools/parse [ROUNDS]
 */
#include "http/connection.h"
#include "http/h1_parse.h"
#include "http/h1_write.h"

#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const char browser[] =
	"GET /assets/app-3f2c1d.js?v=20261123 HTTP/1.1\r\n"
	"Host: www.shop.example\r\n"
	"Connection: keep-alive\r\n"
	"sec-ch-ua: \"Chromium\";v=\"130\", \"Not?A_Brand\";v=\"99\"\r\n"
	"sec-ch-ua-mobile: ?0\r\n"
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
	"Chrome/130.0.0.0 Safari/537.36\r\n"
	"sec-ch-ua-platform: \"Linux\"\r\n"
	"Accept: */*\r\n"
	"Sec-Fetch-Site: same-origin\r\n"
	"Sec-Fetch-Mode: no-cors\r\n"
	"Sec-Fetch-Dest: script\r\n"
	"Referer: https://www.shop.example/products/lamps?page=2\r\n"
	"Accept-Encoding: gzip, deflate, br, zstd\r\n"
	"Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"
	"Cookie: session=3d0f9a6b2c1e48f7a5d49b80c6e7f123; theme=dark; "
	"_ga=GA1.2.1234567890.1700000000\r\n"
	"If-None-Match: \"5f3a-61b2c9d0e4a80\"\r\n\r\n";
static const char minimal[] = "GET / HTTP/1.1\r\nHost: bench\r\n\r\n";

static struct http_field items[64];
static char out[4096];

static void parse(struct slice text, struct http_request *request)
{
	struct h1_parser parser = {};
	size_t len;

	*request = (struct http_request){.fields = {.items = items, .cap = 64}};
	if (h1_parse_request(&parser, text, request, &len))
		abort();
}

static void parse_and_strip(struct slice text, struct http_request *request)
{
	parse(text, request);
	http_fields_strip_connection(&request->fields);
}

static void parse_and_write(struct slice text, struct http_request *request)
{
	const struct h1_wire wire = {};
	size_t len;

	parse_and_strip(text, request);
	if (h1_write_request(request, request->target.text, &wire, out, sizeof(out), &len))
		abort();
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* Return: a counter of user space's instructions; -1 where there is none. */
static int open_counter(void)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_HARDWARE,
				       .size = sizeof(attr),
				       .config = PERF_COUNT_HW_INSTRUCTIONS,
				       .exclude_kernel = 1,
				       .exclude_hv = 1};

	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static uint64_t instructions(int counter)
{
	uint64_t count = 0;

	if (counter >= 0 && read(counter, &count, sizeof(count)) != sizeof(count))
		return 0;
	return count;
}

typedef void step(struct slice text, struct http_request *request);

/* The best of five, since everything else only adds. */
static void measure(const char *name, step *run, const char *head, long rounds)
{
	struct slice text = slice_of(head, strlen(head));
	struct http_request request;
	int counter = open_counter();
	double best_ns = 1e9, best_count = 0;

	for (int round = 0; round < 5; round++) {
		uint64_t count = instructions(counter), began = now_ns();
		double ns;

		for (long i = 0; i < rounds; i++) {
			run(text, &request);
			__asm__ volatile("" : : "r"(&request), "r"(out) : "memory");
		}
		ns = (double)(now_ns() - began) / (double)rounds;
		if (ns < best_ns)
			best_ns = ns;
		best_count = (double)(instructions(counter) - count) / (double)rounds;
	}
	printf("%-34s %5zu bytes %8.1f ns", name, text.len, best_ns);
	if (counter >= 0)
		printf(" %8.0f instructions", best_count);
	putchar('\n');
	if (counter >= 0)
		close(counter);
}

int main(int argc, char **argv)
{
	long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 300000;

	if (rounds <= 0)
		return 2;
	measure("minimal GET: parse", parse, minimal, rounds);
	measure("browser's GET: parse", parse, browser, rounds);
	measure("browser's GET: parse, strip", parse_and_strip, browser, rounds);
	measure("browser's GET: parse, strip, write", parse_and_write, browser, rounds);
	return 0;
}
