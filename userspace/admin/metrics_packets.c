// SPDX-License-Identifier: Apache-2.0
/* Metrics of the packet programs: splice, guard and mode dispatch. */
#include "admin/metrics_internal.h"
#include "fastpath/flows.h"
#include "proxy/dispatcher.h"
#include "proxy/guard.h"

/* --- Splice ---------------------------------------------------------------------- */

static void add_device(const struct splice_device *device, void *context)
{
	metric_add(context, METRIC_SPLICE_DEVICE,
		   (labels_t[]){{"device", device->name}, {"hook", device->hook}, {NULL, NULL}}, 1);
}

/* Of dispatch as well. */
static void add_untold(struct metrics *page, const struct acceleration_facts *facts)
{
	for (int i = 0; i < FLOW_EVENT_KINDS; i++)
		metric_add(page, METRIC_EVENTS_UNTOLD,
			   (labels_t[]){{"event", splice_event_name((enum flow_event_kind)i)},
					{NULL, NULL}},
			   facts->untold[i]);
}

void metrics_add_acceleration(struct metrics *page, struct server *server)
{
	struct acceleration_facts facts;

	server_describe_acceleration(server, &facts);
	add_untold(page, &facts);
	metric_add(page, METRIC_SPLICE_AVAILABLE, NULL, !facts.why);
	if (facts.why)
		return;
	metric_add(page, METRIC_SPLICE_PAIRS, NULL, facts.splice.pairs);
	metric_add(page, METRIC_SPLICE_PAIRS_MAX, NULL, facts.splice.max_pairs);
	for (uint32_t i = 0; i < FLOW_VERDICT_COUNT; i++)
		metric_add(page, METRIC_SPLICE_VERDICTS,
			   (labels_t[]){{"verdict", flow_verdict_name((enum flow_verdict)i)},
					{NULL, NULL}},
			   facts.splice.verdicts[i]);
	server_for_each_device(server, add_device, page);
}

/* --- Guard ----------------------------------------------------------------------- */

static void add_reasons(struct metrics *page, const struct guard_facts *facts)
{
	for (int i = 0; i < GUARD_REASON_COUNT; i++) {
		const char *reason = guard_reason_name((enum guard_reason)i);

		metric_add(page, METRIC_GUARD_DROPPED,
			   (labels_t[]){{"reason", reason}, {NULL, NULL}},
			   facts->counts[GUARD_COUNT_DROPPED + i].packets);
		metric_add(page, METRIC_GUARD_WOULD_DROP,
			   (labels_t[]){{"reason", reason}, {NULL, NULL}},
			   facts->counts[GUARD_COUNT_WOULD_DROP + i].packets);
	}
}

void metrics_add_guard(struct metrics *page, struct server *server)
{
	struct guard_facts facts;

	guard_describe(server_guard(server), &facts);
	for (int mode = GUARD_OFF; mode <= GUARD_ENFORCE; mode++)
		metric_add(page, METRIC_GUARD_MODE,
			   (labels_t[]){{"mode", guard_mode_name((enum guard_mode)mode)},
					{NULL, NULL}},
			   facts.mode == (enum guard_mode)mode);
	add_reasons(page, &facts);
	metric_add(page, METRIC_GUARD_SEEN, NULL, facts.seen.packets);
	metric_add(page, METRIC_GUARD_ALLOWED, NULL, facts.counts[GUARD_COUNT_ALLOWED].packets);
	metric_add(page, METRIC_GUARD_COOKIES, NULL, facts.counts[GUARD_COUNT_COOKIES].packets);
	metric_add(page, METRIC_GUARD_NETWORKS, (labels_t[]){{"from", "files"}, {NULL, NULL}},
		   facts.listed);
	metric_add(page, METRIC_GUARD_NETWORKS, (labels_t[]){{"from", "hand"}, {NULL, NULL}},
		   facts.live);
	metric_add(page, METRIC_GUARD_NETWORKS, (labels_t[]){{"from", "places"}, {NULL, NULL}},
		   facts.places);
	metric_add(page, METRIC_GUARD_BANS, NULL, facts.bans);
}

/* --- Mode dispatch --------------------------------------------------------------- */

static void add_dispatched_endpoint(struct endpoint *endpoint, const struct config_pool *pool,
				    void *context)
{
	struct metrics *page = context;
	const struct dispatcher_service *service = page->service;
	struct dispatch_traffic traffic;
	char bind[CONFIG_BIND_SIZE];
	labels_t labels[] = {{"listener", service->listener->name},
			     {"service", config_bind_format(service->bind, bind)},
			     {"endpoint", endpoint->name},
			     {NULL, NULL}};

	(void)pool;
	dispatcher_count_endpoint(page->dispatcher, service, endpoint, &traffic);
	metric_add(page, METRIC_DISPATCH_FLOWS, labels, traffic.flows);
	metric_add(page, METRIC_DISPATCH_RECEIVED, labels, traffic.bytes);
	metric_add(page, METRIC_DISPATCH_RECEIVED_PACKETS, labels, traffic.packets);
	metric_add(page, METRIC_DISPATCH_SENT, labels, traffic.returned_bytes);
	metric_add(page, METRIC_DISPATCH_SENT_PACKETS, labels, traffic.returned_packets);
}

static void add_service(const struct dispatcher_service *service, void *context)
{
	struct metrics *page = context;
	struct dispatch_service_counts counts;
	char bind[CONFIG_BIND_SIZE];
	labels_t labels[] = {{"listener", service->listener->name},
			     {"service", config_bind_format(service->bind, bind)},
			     {NULL, NULL}};

	dispatcher_count(page->dispatcher, service, &counts);
	metric_add(page, METRIC_DISPATCH_UNLISTED, labels, counts.unlisted);
	metric_add(page, METRIC_DISPATCH_COOKIES, labels, counts.cookies);
	metric_add(page, METRIC_DISPATCH_COOKIE_FLOWS, labels, counts.cookie_flows);
	for (int i = 0; i < DISPATCH_DROP_COUNT; i++)
		metric_add(page, METRIC_DISPATCH_DROPPED,
			   (labels_t[]){labels[0],
					labels[1],
					{"reason", dispatch_drop_name((enum dispatch_drop)i)},
					{NULL, NULL}},
			   counts.drops[i]);
	page->service = service;
	dispatcher_for_each_endpoint(page->dispatcher, service, add_dispatched_endpoint, page);
}

void metrics_add_dispatch(struct metrics *page, struct server *server)
{
	page->dispatcher = server_dispatcher(server);
	dispatcher_for_each(page->dispatcher, add_service, page);
}
