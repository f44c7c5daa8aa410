// SPDX-License-Identifier: Apache-2.0
/*
 * `sluicectl top`: a sample a second, drawn live or printed. Signals are read from a descriptor, so
 * that every way out passes through terminal_leave(). A daemon that goes away (a restart) is asked
 * again each second instead of ending the live view.
 */
#include "ctl/ctl_internal.h"
#include "core/clock.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define REFRESH_MS 1000
#define KEY_CTRL_C 3

struct top {
	const struct ctl_options *options;
	struct ctl_screen *screen;
	struct client client;
	struct top_sample before, now;
	struct top_frame frame;
	struct strbuf error; /* why the last sample is missing; empty: it is not */
	int signals;         /* a signalfd; -1 where output is not live */
	bool is_over;
};

static void explain(struct top *top, int error)
{
	if (error != -EREMOTEIO)
		client_explain(top->options->socket, error, &top->error);
	client_close(&top->client);
}

/* Return: 0; -errno, explained in top->error. */
static int take_sample(struct top *top)
{
	struct top_sample sample;
	int r = 0;

	strbuf_done(&top->error);
	if (top->client.fd < 0)
		r = client_open(top->options->socket, top->options->timeout_ms, &top->client);
	if (r == 0)
		r = top_sample_take(&top->client, &sample, &top->error);
	if (r < 0) {
		explain(top, r);
		return r;
	}
	top_sample_done(&top->before);
	top->before = top->now;
	top->now = sample;
	return 0;
}

/* Each line is cleared behind its text, not the screen before it: that would flicker. */
static void append_screen(struct strbuf *out, const char *text)
{
	strbuf_append_str(out, "\033[H");
	for (const char *end = strchr(text, '\n'); end; end = strchr(text, '\n')) {
		strbuf_append(out, slice_of(text, (size_t)(end - text)));
		strbuf_append_str(out, "\033[K\n");
		text = end + 1;
	}
	strbuf_printf(out, "%s\033[J", text);
}

static void append_error(struct top *top, struct strbuf *out)
{
	strbuf_append_str(out, table_colour_begin(top->screen, TABLE_BAD));
	text_append_fitted(out, top->error.text, top->screen->width);
	strbuf_printf(out, "%s\n", table_colour_end(top->screen, TABLE_BAD));
}

static void draw(struct top *top)
{
	static const char keys[] = "p pools  l listeners  c connections  s services  g guard"
				   "  sort: n r a b  q quit";
	struct strbuf text = {0}, screen = {0};

	if (top->error.len)
		append_error(top, &text);
	else
		top_render(&top->frame, top->screen, &text);
	text_append_fitted(&text, keys, top->screen->width);
	if (!text.is_failed)
		append_screen(&screen, text.text);
	if (screen.len && !screen.is_failed)
		fwrite(screen.text, 1, screen.len, top->screen->out);
	fflush(top->screen->out);
	strbuf_done(&text);
	strbuf_done(&screen);
}

static void on_key(struct top *top, char key)
{
	switch (key) {
	case 'q':
	case KEY_CTRL_C:
		top->is_over = true;
		break;
	case 'p':
		top->frame.panel = TOP_POOLS;
		break;
	case 'l':
		top->frame.panel = TOP_LISTENERS;
		break;
	case 'c':
		top->frame.panel = TOP_CONNECTIONS;
		break;
	case 's':
		top->frame.panel = TOP_SERVICES;
		break;
	case 'g':
		top->frame.panel = TOP_GUARD;
		break;
#define X(name, sort_key, text)                    \
	case sort_key:                             \
		top->frame.sort = TOP_SORT_##name; \
		break;
		TOP_SORTS(X)
#undef X
	default:
		break;
	}
}

static void on_keys(struct top *top)
{
	char keys[64];
	ssize_t n = read(STDIN_FILENO, keys, sizeof(keys));

	if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
		top->is_over = true; /* the terminal has gone */
	for (ssize_t i = 0; i < n; i++)
		on_key(top, keys[i]);
}

static void on_signal(struct top *top)
{
	struct signalfd_siginfo info;

	if (read(top->signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGWINCH)
		terminal_size(STDOUT_FILENO, &top->screen->width, &top->screen->height);
	else
		top->is_over = true;
}

/* Reacts to keys and signals until the next sample is due. */
static void wait_and_react(struct top *top, uint64_t until_ms)
{
	while (!top->is_over) {
		struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
				       {.fd = top->signals, .events = POLLIN}};
		uint64_t now_ms = clock_monotonic_ms();

		if (now_ms >= until_ms || poll(fds, ARRAY_SIZE(fds), (int)(until_ms - now_ms)) == 0)
			return;
		if (fds[1].revents)
			on_signal(top);
		if (fds[0].revents)
			on_keys(top);
		draw(top);
	}
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void report(const struct top *top)
{
	fprintf(top->screen->err, "sluicectl: %s\n", top->error.text ? top->error.text : "failed");
}

/* The first sample decides whether there is a daemon at all; later ones may fail. */
static int run_live(struct top *top)
{
	int r = take_sample(top);

	if (r < 0) {
		report(top);
		return r == -EREMOTEIO ? CTL_EXIT_FAILED : CTL_EXIT_UNREACHABLE;
	}
	top->signals = open_signals();
	r = top->signals < 0 ? -errno : terminal_enter();
	if (r < 0) {
		fprintf(top->screen->err, "sluicectl: cannot use the terminal: %s\n", strerror(-r));
		return CTL_EXIT_FAILED;
	}
	while (!top->is_over) {
		uint64_t next_ms = clock_monotonic_ms() + REFRESH_MS;

		draw(top);
		wait_and_react(top, next_ms);
		if (!top->is_over)
			take_sample(top); /* a failure is shown in place of the panel */
	}
	terminal_leave();
	close(top->signals);
	return CTL_EXIT_OK;
}

static void print_sample(const struct top *top)
{
	struct ctl_screen screen = *top->screen;
	struct strbuf text = {0};

	if (top->options->is_json) {
		json_t *all = json_pack("{s:O,s:O,s:O,s:O,s:O,s:O,s:O}", "status", top->now.status,
					"listeners", top->now.listeners, "pools", top->now.pools,
					"connections", top->now.connections, "services",
					top->now.services, "guard", top->now.guard, "talkers",
					top->now.talkers);

		json_dumpf(all, screen.out, JSON_COMPACT | JSON_REAL_PRECISION(15));
		fputc('\n', screen.out);
		json_decref(all);
	} else {
		screen.height = 0; /* every row */
		top_render(&top->frame, &screen, &text);
		if (!text.is_failed)
			fwrite(text.text, 1, text.len, screen.out);
		fputc('\n', screen.out);
		strbuf_done(&text);
	}
	fflush(screen.out);
}

static int run_plain(struct top *top)
{
	uint32_t snapshots = top->options->snapshots ? top->options->snapshots : 1;

	for (uint32_t i = 0; i < snapshots; i++) {
		int r;

		if (i > 0)
			usleep(REFRESH_MS * 1000);
		r = take_sample(top);
		if (r < 0) {
			report(top);
			return r == -EREMOTEIO ? CTL_EXIT_FAILED : CTL_EXIT_UNREACHABLE;
		}
		print_sample(top);
	}
	return CTL_EXIT_OK;
}

int top_run(const struct ctl_options *options, struct ctl_screen *screen)
{
	struct top top = {
		.options = options, .screen = screen, .client = {.fd = -1}, .signals = -1};
	bool is_live = screen->is_tty && !options->snapshots && !options->is_json;
	int status;

	top.frame = (struct top_frame){
		.before = &top.before, .now = &top.now, .panel = options->panel};
	status = is_live ? run_live(&top) : run_plain(&top);
	top_sample_done(&top.before);
	top_sample_done(&top.now);
	client_close(&top.client);
	strbuf_done(&top.error);
	return status;
}
