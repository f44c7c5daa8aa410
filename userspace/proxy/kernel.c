// SPDX-License-Identifier: Apache-2.0
/* What a server has in the kernel, from start to stop. */
#include "proxy/kernel.h"
#include "fastpath/guard_maps.h"
#include "fastpath/sockmap.h"
#include "fastpath/splice.h"
#include "proxy/adopted.h"
#include "proxy/dispatcher.h"
#include "proxy/guard.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A refinement: without the privilege or the kernel for it, everything works by hash. */
static void balance_accepts(struct server *server, const struct config *config)
{
	int err;

	if (config->acceleration.mode == CONFIG_OFF || server->nworkers < 2)
		return;
	err = reuseport_loads_new(server->nworkers, &server->shared.loads);
	if (err)
		log_info("connections are spread over workers by hash: no BPF: %s", strerror(-err));
}

/* --- The packet programs -----------------------------------------------------------------------*/

/* A connection's id ends with its worker. */
static void on_spliced_over(void *context, uint32_t slot, uint64_t id)
{
	struct server *server = context;
	uint32_t worker = id & 0xff;

	if (splice_is_adopted(server->shared.splice, slot))
		adopted_on_over(server, slot, id);
	else if (worker < server->nworkers && server->workers[worker])
		worker_on_spliced_over(server->workers[worker], slot, id);
}

/* Guard and dispatch need the programs, but none of splice's tables. */
#define FLOWS_WITHOUT_SPLICE 16

static struct splice_options program_options(struct server *server, const struct config *config,
					     struct pin *pin)
{
	static const enum splice_hook hooks[] = {
		[CONFIG_HOOK_AUTO] = SPLICE_HOOK_AUTO,
		[CONFIG_HOOK_XDP] = SPLICE_HOOK_XDP,
		[CONFIG_HOOK_TC] = SPLICE_HOOK_TC,
	};
	bool is_splicing = config->acceleration.mode == CONFIG_SPLICE;
	bool is_dispatching = config_has_dispatch(config);

	return (struct splice_options){
		.max_flows = is_splicing ? config->acceleration.max_flows : FLOWS_WITHOUT_SPLICE,
		.guard_sources = config->guard.max_sources,
		.dispatch_flows = is_dispatching ? config->dispatch.max_flows : 0,
		.hook = hooks[config->acceleration.hook],
		.interfaces = config->acceleration.interfaces,
		.ninterfaces = config->acceleration.ninterfaces,
		.pin = is_splicing || is_dispatching ? pin : NULL,
		.on_end = on_spliced_over,
		.context = server,
	};
}

/* Return: 0; -errno with @ret_why. */
static int load_programs(struct server *server, const struct splice_options *options,
			 const char **ret_why)
{
	int err = splice_new(options, server->loop, &server->programs, ret_why);

	if (!err)
		guard_use_packets(server->shared.guard, splice_guard_maps(server->programs));
	return err;
}

/* Then the guard looks at connections. */
static void guard_without(struct server *server, const char *why, int err)
{
	char text[GUARD_WHY_SIZE];

	snprintf(text, sizeof(text), "%s: %s", why, strerror(-err));
	log_warn("guard: there are no packet programs: %s", text);
	guard_note_no_packets(server->shared.guard, text);
}

/* What cannot be spliced is relayed. */
static void do_without(struct server *server, const struct config *config, const char *why, int err)
{
	if (config->guard.mode != CONFIG_GUARD_OFF)
		guard_without(server, why, err);
	if (config->acceleration.mode == CONFIG_SPLICE)
		log_warn("acceleration: connections stay with the relay: %s: %s", why,
			 strerror(-err));
}

static int start_programs(struct server *server, const struct config *config, struct pin *pin,
			  struct strbuf *ret_errors)
{
	const struct splice_options options = program_options(server, config, pin);
	bool is_splicing = config->acceleration.mode == CONFIG_SPLICE;
	bool is_guarding = config->guard.mode != CONFIG_GUARD_OFF;
	const char *why = NULL;
	int err;

	server->mode = config->acceleration.mode;
	server->why_relay = "the configuration does not ask for more";
	if (!is_splicing && !is_guarding && !options.dispatch_flows)
		return 0;
	err = load_programs(server, &options, &why);
	if (err && options.dispatch_flows) {
		strbuf_printf(
			ret_errors,
			"%s: mode dispatch takes packet programs, and there are none: %s: %s; "
			"'sluicectl doctor' says what they need\n",
			config->path, why, strerror(-err));
		return err;
	}
	if (err)
		do_without(server, config, why, err);
	if (is_splicing) {
		server->shared.splice = server->programs;
		server->why_relay = err ? why : NULL;
	}
	return 0;
}

/* Whatever becomes of the order that wants the programs: connections are not looked at any more. */
static void hand_over(struct server *server)
{
	int err = guard_hand_over(server->shared.guard, server->snapshot->config);

	log_info("guard: the packet programs are loaded");
	if (err)
		log_error("guard: the packet programs do not have what is in force: %s",
			  strerror(-err));
}

/* Programs that are loaded while the daemon runs are the guard's alone: connections that began
 * without them stay with the relay. Control is held up for about a second, workers are not. */
void kernel_bring_guard(struct server *server, const struct config *config)
{
	struct splice_options options = program_options(server, config, NULL);
	const char *why = NULL;
	int err;

	if (server->programs)
		return;
	options.max_flows = FLOWS_WITHOUT_SPLICE;
	options.dispatch_flows = 0;
	err = load_programs(server, &options, &why);
	if (err)
		guard_without(server, why, err);
	else
		hand_over(server);
}

static int start_dispatch(struct server *server, const struct config *config)
{
	return config_has_dispatch(config)
		       ? dispatcher_new(server->loop, server->programs, &server->dispatcher)
		       : 0;
}

/* --- Sockets -----------------------------------------------------------------------------------*/

static void start_sockmap(struct server *server, const struct config *config)
{
	const char *why;
	int err;

	if (config->acceleration.mode != CONFIG_SOCKMAP)
		return;
	err = sockmap_new(config->acceleration.max_flows, &server->shared.sockmap, &why);
	if (err)
		log_warn("acceleration: connections stay with the relay: %s: %s", why,
			 strerror(-err));
}

int kernel_start(struct server *server, const struct config *config, struct pin *pin,
		 struct strbuf *ret_errors)
{
	struct guard_change *guard;
	int err;

	balance_accepts(server, config);
	start_sockmap(server, config);
	err = guard_new(server->loop, &server->shared.guard);
	if (!err)
		err = start_programs(server, config, pin, ret_errors);
	if (!err)
		err = guard_prepare(server->shared.guard, config, &guard, ret_errors);
	if (!err)
		err = guard_commit(server->shared.guard, guard);
	return err ? err : start_dispatch(server, config);
}

bool kernel_outlives(const struct server *server)
{
	return server->programs && splice_can_leave(server->programs) &&
	       server->snapshot->config->acceleration.on_stop == CONFIG_STOP_KEEP;
}

void kernel_stop(struct server *server)
{
	reuseport_loads_free(server->shared.loads);
	guard_free(server->shared.guard);
	dispatcher_free(server->dispatcher);
	splice_free(server->programs);
	sockmap_free(server->shared.sockmap);
}
