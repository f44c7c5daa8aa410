// SPDX-License-Identifier: Apache-2.0
/* sluiced: from start to end, signals and the service manager around a server. */
#include "admin/admin.h"
#include "config/config.h"
#include "config/render.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/standard_fds.h"
#include "demo/hints.h"
#include "demo/origin.h"
#include "io/loop.h"
#include "io/timer.h"
#include "io/watch.h"
#include "process/identity.h"
#include "process/instance.h"
#include "process/options.h"
#include "process/signals.h"
#include "proxy/server.h"
#include "tls/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define DEMO_ORIGINS_MAX 16
/* Bytes of its heap that a thread keeps though nothing is in them; pieces from which on each has a
 * mapping of its own. docs/benchmarks.md has what that is worth. */
#define HEAP_KEPT (8 << 20)
#define HEAP_MMAP (1 << 20)

struct daemon {
	struct io_loop *loop;
	struct server *server;
	struct admin *admin;
	struct demo_origin *demo;
	struct pin *pin;
	struct io_watch signals;
	struct io_timer watchdog;
	uint64_t watchdog_ms;
	int verbosity;
};

/* --- Without serving: schema, reference, check ------------------------------------------ */

static int print_rendered(void (*render)(struct strbuf *out))
{
	struct strbuf out = {};
	int code;

	render(&out);
	code = !out.is_failed && fputs(out.text, stdout) >= 0 && fflush(stdout) == 0 ? EXIT_OK
										     : EXIT_FAILED;
	strbuf_done(&out);
	return code;
}

static struct config *load_or_exit(const struct options *options)
{
	struct strbuf errors = {};
	struct config *config;
	int err = config_load(options->config, &config, &errors);

	if (err || errors.len)
		fputs(errors.len ? errors.text : "sluiced: out of memory\n", stderr);
	if (err && !options->has_config)
		fputs("sluiced: that is the usual file; -c FILE names another\n", stderr);
	strbuf_done(&errors);
	if (err)
		exit(EXIT_USAGE);
	return config;
}

static int check_config(const struct options *options)
{
	struct config *config = load_or_exit(options);
	struct strbuf errors = {};
	int err = server_check(config, &errors);

	/* The file may be for another machine: no error of its. */
	identity_check(config, "warning: ", &errors);
	if (err || errors.len)
		fputs(errors.len ? errors.text : "sluiced: out of memory\n", stderr);
	strbuf_done(&errors);
	if (err)
		exit(EXIT_USAGE);
	printf("%s: good: %zu listeners, %zu pools\n", config->path, config->nlisteners,
	       config->npools);
	config_free(config);
	return EXIT_OK;
}

/* --- The process ------------------------------------------------------------------------ */

static void configure_log(const struct config *config, int verbosity)
{
	enum log_level level = config->log.level;

	if (verbosity < 0 && level > LOG_WARN)
		level = LOG_WARN;
	if (verbosity > 0)
		level = LOG_DEBUG;
	log_configure(STDERR_FILENO, level, config->log.format);
}

/*
 * What waits for slow clients comes and goes at the end of the heap. By itself malloc gives back
 * all but 128 KiB there at each turn, and the kernel clears the pages again that are then asked
 * for.
 */
static void keep_heap(void)
{
	mallopt(M_TRIM_THRESHOLD, HEAP_KEPT);
	mallopt(M_MMAP_THRESHOLD, HEAP_MMAP);
}

/* --- Signals and the service manager ------------------------------------------------------ */

static void notify_ready(struct daemon *daemon)
{
	struct server_facts facts;

	server_describe(daemon->server, &facts);
	sd_notifyf(0, "READY=1\nSTATUS=Serving %zu listeners with %u workers",
		   server_config(daemon->server)->nlisteners, facts.workers);
}

/* RELOADING=1 and READY=1 would take back STOPPING=1. */
static void on_reload_begins(void *context)
{
	struct daemon *daemon = context;

	if (!server_is_draining(daemon->server))
		sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_monotonic_ns() / 1000);
}

/* Whoever has asked for it. The log may be written otherwise from then on. */
static void on_reloaded(void *context, int err, const char *text)
{
	struct daemon *daemon = context;

	log_lines(err ? LOG_ERROR : LOG_WARN, "reload: ", text);
	if (err) {
		log_error("reload failed%s%s: the configuration before stays in force",
			  *text ? "" : ": ", *text ? "" : strerror(-err));
	} else {
		configure_log(server_config(daemon->server), daemon->verbosity);
		log_info("reloaded %s", server_config(daemon->server)->path);
	}
	if (!server_is_draining(daemon->server))
		notify_ready(daemon);
}

static void reload(void *context, struct server_reload *reload)
{
	struct daemon *daemon = context;

	server_reload(daemon->server, reload);
}

static void on_signalled_done(struct server_reload *reload, int err, const char *text)
{
	(void)err;
	(void)text;
	free(reload);
}

static void reload_by_signal(struct daemon *daemon)
{
	struct server_reload *order = malloc(sizeof(*order));

	if (!order) {
		log_error("reload failed: out of memory: the configuration before stays in force");
		return;
	}
	*order = (struct server_reload){.on_done = on_signalled_done};
	server_reload(daemon->server, order);
}

static void on_all_stopped(void *context)
{
	struct daemon *daemon = context;

	io_watch_stop(&daemon->signals);
	io_timer_stop(daemon->loop, &daemon->watchdog);
	io_loop_stop(daemon->loop);
}

static void on_admin_stopped(void *context)
{
	struct daemon *daemon = context;

	if (daemon->demo)
		demo_origin_stop(daemon->demo, on_all_stopped, daemon);
	else
		on_all_stopped(daemon);
}

static void on_drained(void *context)
{
	struct daemon *daemon = context;

	log_info("stopped");
	admin_stop(daemon->admin, on_admin_stopped, daemon);
}

static void drain(struct daemon *daemon, int signal)
{
	uint32_t timeout_ms;

	if (server_is_draining(daemon->server)) {
		log_info("a second signal: open connections are reset");
	} else {
		timeout_ms = server_config(daemon->server)->drain_timeout_ms;
		log_info("SIG%s: no new connections; open ones have %u ms to end",
			 sigabbrev_np(signal), timeout_ms);
		/* The service manager shall have as much patience as the configuration grants. */
		sd_notifyf(0,
			   "STOPPING=1\nSTATUS=Draining connections\nEXTEND_TIMEOUT_USEC=%" PRIu64,
			   (timeout_ms + UINT64_C(10000)) * 1000);
	}
	server_drain(daemon->server, on_drained, daemon);
}

/* What other proxies do then: who sends it should not believe that it was done. */
static const char *hint_for(uint32_t signal)
{
	switch (signal) {
	case SIGUSR2:
		return ": sockets are not handed over to another sluiced: restart";
	case SIGTTOU:
		return ": listeners cannot be paused";
	case SIGTTIN:
		return ": no listener is paused";
	default:
		return "";
	}
}

static void ignore(const struct signalfd_siginfo *signal)
{
	log_warn("SIG%s of process %u is ignored%s", sigabbrev_np((int)signal->ssi_signo),
		 signal->ssi_pid, hint_for(signal->ssi_signo));
}

static void on_signal(struct io_watch *watch, uint32_t ready)
{
	struct daemon *daemon = container_of(watch, struct daemon, signals);
	struct signalfd_siginfo signal;
	int err;

	(void)ready;
	if (read(watch->fd, &signal, sizeof(signal)) != sizeof(signal))
		return;
	switch (signal.ssi_signo) {
	case SIGHUP:
		reload_by_signal(daemon);
		break;
	case SIGUSR1:
		err = server_reopen_logs(daemon->server);
		if (err)
			log_error("cannot open the access log anew: %s", strerror(-err));
		break;
	case SIGTERM:
	case SIGINT:
	case SIGQUIT:
		drain(daemon, (int)signal.ssi_signo);
		break;
	default:
		ignore(&signal);
	}
}

/* The service manager hears from us only while every worker answers. */
static void on_watchdog(struct io_timer *timer)
{
	struct daemon *daemon = container_of(timer, struct daemon, watchdog);

	if (server_check_workers(daemon->server))
		sd_notify(0, "WATCHDOG=1");
	io_timer_start(daemon->loop, &daemon->watchdog, daemon->watchdog_ms);
}

static void start_watchdog(struct daemon *daemon)
{
	uint64_t timeout_us;

	if (sd_watchdog_enabled(0, &timeout_us) <= 0)
		return;
	daemon->watchdog.on_expire = on_watchdog;
	daemon->watchdog_ms = timeout_us / 3000; /* a worker may miss one turn */
	on_watchdog(&daemon->watchdog);
}

/* --- Start ---------------------------------------------------------------------------------- */

static int start_demo(struct daemon *daemon, const struct config *config)
{
	struct address addresses[DEMO_ORIGINS_MAX];
	size_t count = demo_origin_addresses(config, addresses, DEMO_ORIGINS_MAX);
	int err = demo_origin_start(daemon->loop, addresses, count, &daemon->demo);

	if (err)
		log_error("cannot start the demo's web servers: %s", strerror(-err));
	return err;
}

static bool has_end_signal(const struct patience *patience)
{
	(void)patience;
	return signals_have_end();
}

static int start_server(struct daemon *daemon, struct config *config, bool is_demo)
{
	static const struct patience until_signal = {has_end_signal};
	const struct admin_actions actions = {.reload = reload, .context = daemon};
	const struct server_reload_watch watch = {on_reload_begins, on_reloaded, daemon};
	struct strbuf errors = {};
	int err = is_demo ? start_demo(daemon, config) : 0;

	if (err)
		return err;
	err = admin_open(config, &daemon->admin, &errors);
	if (!err)
		err = server_start(config, daemon->loop, daemon->pin, &until_signal,
				   &daemon->server, &errors);
	if (!err) {
		server_watch_reloads(daemon->server, &watch);
		admin_start(daemon->admin, daemon->loop, daemon->server, &actions);
	} else {
		admin_free(daemon->admin);
	}
	log_lines(err ? LOG_ERROR : LOG_WARN, "", errors.text);
	if (err == -ECANCELED)
		log_info("stopped before the start was done: a signal came");
	else if (err)
		log_error("cannot start%s%s", errors.len ? "" : ": ",
			  errors.len ? ", for what is said above" : strerror(-err));
	strbuf_done(&errors);
	return err;
}

static void say_ready(struct daemon *daemon, bool is_demo)
{
	const struct config *config = server_config(daemon->server);
	struct server_facts facts;

	server_describe(daemon->server, &facts);
	log_info("sluiced " SLUICE_VERSION
		 " is ready: %s, %zu listeners, %zu pools, %u workers, %s",
		 config->path, config->nlisteners, config->npools, facts.workers, facts.io_backend);
	notify_ready(daemon);
	if (is_demo)
		demo_print_hints(stdout, config);
}

static int run(struct config *config, const struct options *options)
{
	struct daemon daemon = {.verbosity = options->verbosity};
	const struct io_options io = {
		.backend = config->io == CONFIG_IO_EPOLL ? IO_BACKEND_EPOLL : IO_BACKEND_AUTO,
		.buffer_count = 64,
	};
	int signals = signals_open();
	int err;

	if (signals < 0 || instance_claim(config, &daemon.pin) < 0 || identity_assume(config) < 0) {
		config_free(config);
		return EXIT_FAILED;
	}
	err = io_loop_new(&io, &daemon.loop);
	if (err) {
		log_error("cannot make the event loop: %s", strerror(-err));
		config_free(config);
		return EXIT_FAILED;
	}
	err = start_server(&daemon, config, options->is_demo);
	if (err) /* threads may run already: nothing of ours outlives the process */
		_exit(err == -ECANCELED ? EXIT_OK : EXIT_FAILED);
	daemon.signals.on_ready = on_signal;
	err = io_watch_start(&daemon.signals, daemon.loop, signals, IO_READABLE);
	if (!err) {
		start_watchdog(&daemon);
		say_ready(&daemon, options->is_demo);
		err = io_loop_run(daemon.loop);
	}
	if (err) {
		log_error("waiting for events: %s", strerror(-err));
		_exit(EXIT_FAILED);
	}
	admin_free(daemon.admin);
	server_free(daemon.server);
	demo_origin_free(daemon.demo);
	pin_close(daemon.pin);
	io_loop_free(daemon.loop);
	close(signals);
	return EXIT_OK;
}

int main(int argc, char **argv)
{
	struct options options;
	struct config *config;

	if (standard_fds_take() < 0)
		return EXIT_FAILED;
	tls_memory_watch();
	options_parse(argc, argv, &options);
	switch (options.action) {
	case ACTION_CHECK:
		return check_config(&options);
	case ACTION_SCHEMA:
		return print_rendered(config_render_json_schema);
	case ACTION_REFERENCE:
		return print_rendered(config_render_reference);
	case ACTION_RUN:
		break;
	}
	signals_hold();
	keep_heap();
	config = load_or_exit(&options);
	configure_log(config, options.verbosity);
	identity_raise_descriptor_limit();
	return run(config, &options);
}
