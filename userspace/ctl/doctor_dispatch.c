// SPDX-License-Identifier: Apache-2.0
/* The doctor's look at services of mode dispatch: whether packets get from here to their endpoints,
 * and back where they are to come back, and how large they may be. */
#include "core/address.h"
#include "ctl/doctor_internal.h"

#include <stdlib.h>

#define AREA       "dispatch"
#define COMMON_MTU 1500 /* of clients */
#define IPV6_MIN   1280 /* RFC 8200 section 5 */

/* --- An endpoint -------------------------------------------------------------------------------*/

static uint32_t growth_of(const char *forward, bool is_ipv6)
{
	uint32_t ip = is_ipv6 ? 40 : 20;

	if (strcmp(forward, "ipip") == 0)
		return ip;
	return strcmp(forward, "gue") == 0 ? ip + 8 : 0;
}

/* What does not fit is dropped, and its sender told, who hears of it if nothing filters ICMP. */
static void judge_size(struct doctor *doctor, const char *subject, const struct machine_way *way,
		       uint32_t growth)
{
	bool fits = way->mtu >= COMMON_MTU + growth;
	bool is_too_small = way->mtu < IPV6_MIN + growth;

	doctor_add(doctor,
		   &(struct doctor_finding){
			   fits           ? DOCTOR_OK
			   : is_too_small ? DOCTOR_WARN
					  : DOCTOR_NOTE,
			   AREA, subject,
			   fits ? NULL
				: "a larger MTU on the way to endpoints, or let them announce a "
				  "smaller MSS (ip route ... advmss)"},
		   "packets of up to %u bytes fit through %s with %u of the header in front%s",
		   way->mtu - growth, way->device, growth,
		   fits ? "" : "; larger ones are dropped, and their senders told by ICMP");
}

static void judge_link(struct doctor *doctor, const char *subject, const struct machine_way *way)
{
	if (way->is_routed)
		doctor_add(doctor,
			   &(struct doctor_finding){DOCTOR_MISSING, AREA, subject,
						    "forward: ipip or gue, or an endpoint on a "
						    "link of this machine"},
			   "l2 gets no further than the gateway that the way through %s has",
			   way->device);
	else if (!way->has_neighbour)
		doctor_add(doctor,
			   &(struct doctor_finding){DOCTOR_WARN, AREA, subject,
						    "see 'ip neighbour', and whether it is on"},
			   "nobody on %s says yet that the address is theirs", way->device);
	else
		doctor_add(doctor, &(struct doctor_finding){DOCTOR_OK, AREA, subject, NULL},
			   "on the link of %s", way->device);
}

/* The kernel is asked for the way of each, and has none for what it would not pass on itself. */
static void judge_answers(struct doctor *doctor, const char *subject, const struct machine_way *way,
			  bool is_ipv6)
{
	char advice[96];

	snprintf(advice, sizeof(advice), "sysctl net.%s.conf.%s.forwarding=1, or %s",
		 is_ipv6 ? "ipv6" : "ipv4", way->device,
		 is_ipv6 ? "net.ipv6.conf.all.forwarding=1" : "net.ipv4.ip_forward=1");
	doctor_add(doctor,
		   &(struct doctor_finding){way->forwards ? DOCTOR_OK : DOCTOR_MISSING, AREA,
					    subject, way->forwards ? NULL : advice},
		   way->forwards ? "through %s, MTU %u, and answers go on from there"
				 : "answers get no further than %s (MTU %u): this machine does not "
				   "forward what comes in by it",
		   way->device, way->mtu);
}

void doctor_judge_endpoint(struct doctor *doctor, const char *forward, const char *subject,
			   bool is_ipv6, const struct machine_way *way)
{
	uint32_t growth = growth_of(forward, is_ipv6);

	if (!way)
		doctor_add(doctor,
			   &(struct doctor_finding){DOCTOR_MISSING, AREA, subject,
						    "see 'ip route get', from where sluiced runs"},
			   "there is no way to it");
	else if (way->is_local && (strcmp(forward, "nat") == 0 || strcmp(forward, "dnat") == 0))
		doctor_add(doctor,
			   &(struct doctor_finding){DOCTOR_MISSING, AREA, subject,
						    "an endpoint elsewhere, or mode tcp or http "
						    "for what runs here"},
			   "is this machine: its answers do not come in by a device, so clients "
			   "get none");
	else if (way->is_local)
		doctor_add(doctor, &(struct doctor_finding){DOCTOR_NOTE, AREA, subject, NULL},
			   "is this machine: health checks do not go through the tunnel");
	else if (strcmp(forward, "l2") == 0)
		judge_link(doctor, subject, way);
	else if (strcmp(forward, "dnat") == 0)
		judge_answers(doctor, subject, way, is_ipv6);
	else if (growth)
		judge_size(doctor, subject, way, growth);
	else
		doctor_add(doctor, &(struct doctor_finding){DOCTOR_OK, AREA, subject, NULL},
			   "through %s, MTU %u", way->device, way->mtu);
}

/* --- NAT's source addresses --------------------------------------------------------------------*/

void doctor_judge_source(struct doctor *doctor, const char *subject, const char *source,
			 const struct machine_way *way)
{
	bool is_ours = way && way->is_local;

	doctor_add(doctor,
		   &(struct doctor_finding){
			   is_ours ? DOCTOR_OK : DOCTOR_WARN, AREA, subject,
			   is_ours ? NULL
				   : "an address of this machine as dispatch.source, or a route to "
				     "it by this machine on the endpoints"},
		   is_ours ? "answers come to %s, of this machine"
			   : "%s is no address of this machine: answers come back only if the "
			     "network routes it here",
		   source);
}

void doctor_judge_source_ports(struct doctor *doctor, const char *subject,
			       const struct doctor_ports *used, const struct doctor_ports *local,
			       const char *reserved)
{
	bool is_apart = used->last < local->first || used->first > local->last;
	char wanted[16];

	snprintf(wanted, sizeof(wanted), "%u-%u", used->first, used->last);
	if (is_apart || strcmp(reserved, wanted) == 0)
		doctor_add(doctor, &(struct doctor_finding){DOCTOR_OK, AREA, subject, NULL},
			   "ports %s are nobody else's by themselves", wanted);
	else
		doctor_add(doctor,
			   &(struct doctor_finding){DOCTOR_WARN, AREA, subject,
						    "other source_ports, or the same in "
						    "net.ipv4.ip_local_reserved_ports"},
			   "connections of this machine may take ports %s too: the kernel gives "
			   "out %u-%u",
			   wanted, local->first, local->last);
}

/* --- What there is -----------------------------------------------------------------------------*/

static const struct machine_way *find_way(const char *text, struct address *ret_address,
					  struct machine_way *ret)
{
	if (address_parse(slice_from_str(text), ret_address) < 0 &&
	    address_parse_ip(slice_from_str(text), 0, ret_address) < 0)
		return NULL;
	return machine_find_way(ret_address, ret) < 0 ? NULL : ret;
}

static void read_line(const char *path, char *ret, size_t size)
{
	FILE *file = fopen(path, "re");

	*ret = '\0';
	if (!file)
		return;
	if (fgets(ret, (int)size, file))
		ret[strcspn(ret, "\n")] = '\0';
	fclose(file);
}

static bool read_ports(const char *text, char between, struct doctor_ports *ret)
{
	char *end;
	unsigned long first = strtoul(text, &end, 10);

	if (end == text || *end != between)
		return false;
	*ret = (struct doctor_ports){(uint32_t)first, (uint32_t)strtoul(end + 1, NULL, 10)};
	return true;
}

static void look_at_ports(struct doctor *doctor, const json_t *service)
{
	char range[64], reserved[256], subject[160];
	struct doctor_ports used, local;

	read_line("/proc/sys/net/ipv4/ip_local_port_range", range, sizeof(range));
	read_line("/proc/sys/net/ipv4/ip_local_reserved_ports", reserved, sizeof(reserved));
	snprintf(subject, sizeof(subject), "%s nat source_ports", member_text(service, "address"));
	if (read_ports(member_text(service, "source_ports"), '-', &used) &&
	    read_ports(range, '\t', &local))
		doctor_judge_source_ports(doctor, subject, &used, &local, reserved);
}

static void look_at_sources(struct doctor *doctor, const json_t *service)
{
	const json_t *source;
	struct machine_way way;
	struct address address;
	char subject[160];

	for (size_t i = 0; (source = member_element(service, "sources", i)); i++) {
		const char *text = json_string_value(source);

		snprintf(subject, sizeof(subject), "%s nat source",
			 member_text(service, "address"));
		doctor_judge_source(doctor, subject, text, find_way(text, &address, &way));
	}
}

static void look_at_service(struct doctor *doctor, const json_t *service)
{
	const char *forward = member_text(service, "forward");
	const json_t *endpoint;
	struct address address = {};
	struct machine_way way;
	char subject[160];

	for (size_t i = 0; (endpoint = member_element(service, "endpoints", i)); i++) {
		const char *text = member_text(endpoint, "address");
		const struct machine_way *found = find_way(text, &address, &way);

		snprintf(subject, sizeof(subject), "%s %s %s", member_text(service, "address"),
			 forward, text);
		doctor_judge_endpoint(doctor, forward, subject, address.sa.sa_family == AF_INET6,
				      found);
	}
	if (strcmp(forward, "nat") != 0)
		return;
	look_at_sources(doctor, service);
	look_at_ports(doctor, service);
}

void doctor_look_at_dispatch(struct doctor *doctor, const json_t *result)
{
	uint64_t max_flows = member_count(result, "max_flows");
	const json_t *service;

	if (!member_element(result, "services", 0))
		return;
	doctor_add(doctor, &(struct doctor_finding){DOCTOR_OK, AREA, "flows", NULL},
		   "a table of %llu takes %llu MiB; beyond it the quietest gives way, and with nat "
		   "no more than half of it has source ports",
		   (unsigned long long)max_flows,
		   (unsigned long long)(max_flows * DOCTOR_FLOW_BYTES >> 20));
	for (size_t i = 0; (service = member_element(result, "services", i)); i++)
		look_at_service(doctor, service);
}
