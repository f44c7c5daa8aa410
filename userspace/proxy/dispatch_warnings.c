// SPDX-License-Identifier: Apache-2.0
/* What makes services of mode dispatch lose their answers, as far as this machine tells. */
#include "proxy/dispatch_warnings.h"
#include "core/log.h"
#include "fastpath/machine.h"

/* Whose services are looked at. */
struct judging {
	const struct dispatcher *dispatcher;
	const struct config *config;
	const struct dispatcher_service *service;
	struct machine_addresses here;
};

bool dispatcher_misses_answers(const struct dispatcher_service *service,
			       const struct endpoint *endpoint,
			       const struct machine_addresses *here)
{
	return (service->form == DISPATCH_NAT || service->form == DISPATCH_DNAT) &&
	       machine_has_address(here, &endpoint->address);
}

/* Of form dnat, answers come by us to be passed on. */
static void judge_forwarding(const struct judging *judging)
{
	const struct dispatcher_service *service = judging->service;
	bool is_ipv6 = service->bind->address.sa.sa_family == AF_INET6;

	if (service->form == DISPATCH_DNAT && !machine_forwards(is_ipv6 ? AF_INET6 : AF_INET))
		log_warn("%s: listener %s: forward: dnat: answers of endpoints will be lost: no "
			 "device of this machine forwards %s (sysctl %s)",
			 judging->config->path, service->listener->name, is_ipv6 ? "IPv6" : "IPv4",
			 is_ipv6 ? "net.ipv6.conf.all.forwarding" : "net.ipv4.ip_forward");
}

static void judge_endpoint(struct endpoint *endpoint, const struct config_pool *pool, void *context)
{
	const struct judging *judging = context;
	const struct dispatcher_service *service = judging->service;

	if (dispatcher_misses_answers(service, endpoint, &judging->here))
		log_warn("%s: listener %s: forward: %s: endpoint %s of pool %s is this machine: "
			 "its answers do not come back, and clients get none",
			 judging->config->path, service->listener->name,
			 dispatch_form_name(service->form), endpoint->name, pool->name);
}

/* Addresses of a listener are of one family, and have the same endpoints. */
static void judge_service(const struct dispatcher_service *service, void *context)
{
	struct judging *judging = context;

	if (service->bind != &service->listener->binds[0])
		return;
	judging->service = service;
	judge_forwarding(judging);
	dispatcher_for_each_endpoint(judging->dispatcher, service, judge_endpoint, judging);
}

void dispatch_warn(const struct dispatcher *dispatcher, const struct config *config)
{
	struct judging judging = {.dispatcher = dispatcher, .config = config};

	if (machine_addresses_read(&judging.here) < 0)
		log_warn("dispatch: which addresses are this machine's cannot be found out");
	dispatcher_for_each(dispatcher, judge_service, &judging);
	machine_addresses_done(&judging.here);
}
