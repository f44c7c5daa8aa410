// SPDX-License-Identifier: Apache-2.0
/* What the control protocol shows of mode dispatch; docs/control-protocol.md names it. */
#include "admin/admin_internal.h"
#include "fastpath/machine.h"
#include "proxy/dispatcher.h"

#include <stdio.h>

struct view {
	const struct dispatcher *dispatcher;
	const struct dispatcher_service *service; /* whose endpoints are visited */
	struct machine_addresses here;
	struct strbuf *out;
};

static void append_traffic(const struct dispatch_traffic *traffic, struct strbuf *out)
{
	reply_count(out, "flows", traffic->flows);
	reply_count(out, "packets_in", traffic->packets);
	reply_count(out, "bytes_in", traffic->bytes);
	reply_count(out, "packets_out", traffic->returned_packets);
	reply_count(out, "bytes_out", traffic->returned_bytes);
}

static void append_endpoint(struct endpoint *endpoint, const struct config_pool *pool,
			    void *context)
{
	struct view *view = context;
	struct dispatch_traffic traffic;
	char address[ADDRESS_TEXT_SIZE];

	dispatcher_count_endpoint(view->dispatcher, view->service, endpoint, &traffic);
	reply_begin(view->out, NULL, '{');
	reply_text(view->out, "name", endpoint->name);
	reply_text(view->out, "address", address_format(&endpoint->address, address));
	reply_text(view->out, "pool", pool->name);
	if (endpoint->has_location)
		reply_point(view->out, "location", &endpoint->location);
	reply_count(view->out, "weight", atomic_load(&endpoint->weight));
	reply_text(view->out, "admin", endpoint_admin_name(atomic_load(&endpoint->admin)));
	reply_text(view->out, "health", endpoint_health_name(atomic_load(&endpoint->health)));
	reply_bool(view->out, "misses_answers",
		   dispatcher_misses_answers(view->service, endpoint, &view->here));
	append_traffic(&traffic, view->out);
	reply_end(view->out, '{');
}

static void append_drops(const struct dispatch_service_counts *counts, struct strbuf *out)
{
	reply_begin(out, "drops", '{');
	for (int i = 0; i < DISPATCH_DROP_COUNT; i++)
		reply_count(out, dispatch_drop_name((enum dispatch_drop)i), counts->drops[i]);
	reply_end(out, '{');
}

static void append_sources(const struct config_listener *listener, struct strbuf *out)
{
	const struct config_listener_dispatch *options = &listener->dispatch;
	char text[ADDRESS_IP_SIZE];

	reply_begin(out, "sources", '[');
	for (size_t i = 0; i < options->nsources; i++)
		reply_text(out, NULL, address_format_ip(&options->sources[i], text));
	reply_end(out, '[');
	snprintf(text, sizeof(text), "%u-%u", options->source_ports.first,
		 options->source_ports.last);
	reply_text(out, "source_ports", text);
}

static void append_service(const struct dispatcher_service *service, void *context)
{
	struct view *view = context;
	struct dispatch_service_counts counts;
	char bind[CONFIG_BIND_SIZE];

	dispatcher_count(view->dispatcher, service, &counts);
	view->service = service;
	reply_begin(view->out, NULL, '{');
	reply_text(view->out, "listener", service->listener->name);
	reply_text(view->out, "address", config_bind_format(service->bind, bind));
	reply_text(view->out, "forward", dispatch_form_name(service->form));
	reply_text(view->out, "pool", service->listener->default_pool_name);
	append_sources(service->listener, view->out);
	append_traffic(&counts.traffic, view->out);
	reply_count(view->out, "unlisted_flows", counts.unlisted);
	reply_count(view->out, "cookies", counts.cookies);
	reply_count(view->out, "cookie_flows", counts.cookie_flows);
	append_drops(&counts, view->out);
	reply_begin(view->out, "endpoints", '[');
	dispatcher_for_each_endpoint(view->dispatcher, service, append_endpoint, view);
	reply_end(view->out, '[');
	reply_end(view->out, '{');
}

void control_services(struct server *server, struct strbuf *out)
{
	struct view view = {.dispatcher = server_dispatcher(server), .out = out};

	if (machine_addresses_read(&view.here) < 0)
		view.here = (struct machine_addresses){}; /* nothing is known of endpoints then */
	reply_count(out, "max_flows",
		    view.dispatcher ? dispatcher_max_flows(view.dispatcher)
				    : server_config(server)->dispatch.max_flows);
	reply_begin(out, "services", '[');
	dispatcher_for_each(view.dispatcher, append_service, &view);
	reply_end(out, '[');
	machine_addresses_done(&view.here);
}
