// SPDX-License-Identifier: Apache-2.0
/* Pinned flows for whoever wants to see them, or to be rid of them: sluicectl flows. */
#include "fastpath/flows.h"
#include "core/clock.h"
#include "fastpath/fastpath_internal.h"
#include "fastpath/pin.h"
#include "fastpath/raw_packet.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct flows {
	struct pin *pin;
	struct leftover leftover;
	bool has_daemon;
};

/* --- What is read -------------------------------------------------------------------------------
 */

static const char *const verdict_names[] = {
#define X(name, text) [FLOW_VERDICT_##name] = text,
	FLOW_VERDICTS(X)
#undef X
};

const char *flow_verdict_name(enum flow_verdict verdict)
{
	return verdict_names[verdict];
}

void verdicts_read(int map_fd, uint64_t ret[FLOW_VERDICT_COUNT])
{
	int ncpus = libbpf_num_possible_cpus();
	uint64_t *counts = ncpus > 0 ? calloc((size_t)ncpus, sizeof(*counts)) : NULL;

	for (uint32_t i = 0; counts && i < FLOW_VERDICT_COUNT; i++)
		if (bpf_map_lookup_elem(map_fd, &i, counts) == 0)
			for (int cpu = 0; cpu < ncpus; cpu++)
				ret[i] += counts[cpu];
	free(counts);
}

void address_from_key(const uint8_t ip[16], uint16_t port, struct address *ret)
{
	struct sockaddr_in6 sa = {.sin6_family = AF_INET6, .sin6_port = port};

	memcpy(&sa.sin6_addr, ip, sizeof(sa.sin6_addr));
	address_from_sockaddr((const struct sockaddr *)&sa, sizeof(sa), ret);
	address_unmap(ret);
}

/* --- Reading ------------------------------------------------------------------------------------
 */

/* Whoever has the lock is a daemon, or is about to be one. */
static bool is_locked(const char *directory)
{
	struct pin *pin;

	if (pin_open_to_discard(directory, &pin) < 0)
		return true;
	pin_close(pin);
	return false;
}

int flows_open(const char *directory, struct flows **ret)
{
	struct flows *flows = calloc(1, sizeof(*flows));
	int err;

	if (!flows)
		return -ENOMEM;
	fastpath_log_libbpf();
	err = pin_open_to_read(directory, &flows->pin);
	if (!err)
		err = leftover_open(flows->pin, &flows->leftover);
	if (!err && !leftover_is_readable(&flows->leftover))
		err = -EPROTO;
	if (err) {
		flows_close(flows);
		return err;
	}
	flows->has_daemon = is_locked(directory);
	*ret = flows;
	return 0;
}

void flows_close(struct flows *flows)
{
	if (!flows)
		return;
	leftover_close(&flows->leftover);
	pin_close(flows->pin);
	free(flows);
}

static void read_verdicts(const struct pin *pin, uint64_t ret[FLOW_VERDICT_COUNT])
{
	int fd = pin_map(pin, "verdicts");

	if (fd < 0)
		return;
	verdicts_read(fd, ret);
	close(fd);
}

void flows_describe(const struct flows *flows, struct flows_facts *ret)
{
	*ret = (struct flows_facts){
		.has_daemon = flows->has_daemon,
		.abi_version = flows->leftover.meta.abi_version,
		.max_flows = flows->leftover.count,
	};
	read_verdicts(flows->pin, ret->verdicts);
}

static const char *state_text(const struct flow_pair *shared, enum gate_state state)
{
	if (state == GATE_OBSERVE)
		return "observed";
	if (flow_is_over(shared))
		return "over";
	return state == GATE_SPLICED || state == GATE_TAIL ? "spliced" : "passed";
}

static struct flow_way way_of(const struct flow_pair *shared, enum flow_direction direction)
{
	uint8_t flags = shared->seen[direction].flags;

	return (struct flow_way){
		.packets = shared->seen[direction].packets,
		.relayed = shared->relayed[direction],
		.has_fin = flags & FLOW_SEEN_FIN,
		.is_fin_acknowledged = flags & FLOW_SEEN_FIN_ACKED,
		.has_reset = flags & FLOW_SEEN_RST,
	};
}

/* While a pair is observed, its daemon relays it: nothing of it is known here but who it is of. */
static void describe(const struct flow_pair *shared, enum gate_state state, struct flow_row *ret)
{
	const struct splice_pair pair = {.shared = (struct flow_pair *)shared,
					 .is_joined = state != GATE_OBSERVE};
	const struct flow_key *up = &shared->in[FLOW_UP].key, *down = &shared->in[FLOW_DOWN].key;
	struct splice_traffic traffic;

	*ret = (struct flow_row){
		.id = shared->id,
		.state = state_text(shared, state),
		.up = way_of(shared, FLOW_UP),
		.down = way_of(shared, FLOW_DOWN),
	};
	address_from_key(up->source, up->source_port, &ret->client);
	address_from_key(up->destination, up->destination_port, &ret->front);
	address_from_key(down->destination, down->destination_port, &ret->via);
	address_from_key(down->source, down->source_port, &ret->backend);
	if (!pair.is_joined)
		return;
	splice_pair_traffic(&pair, &traffic);
	ret->up.bytes = traffic.bytes_up;
	ret->down.bytes = traffic.bytes_down;
	ret->idle_ms = traffic.idle_ms;
	ret->age_ms = (clock_monotonic_ns() - shared->spliced_ns) / 1000000;
}

void flows_for_each(const struct flows *flows,
		    void (*visit)(const struct flow_row *row, void *context), void *context)
{
	for (uint32_t i = 0; i < flows->leftover.count; i++) {
		enum gate_state state = leftover_state(&flows->leftover, i);
		struct flow_row row;

		if (state == GATE_FREE)
			continue;
		describe(leftover_element(&flows->leftover, i), state, &row);
		visit(&row, context);
	}
}

/* --- Discarding ---------------------------------------------------------------------------------
 */

static void reset_all(const struct leftover *leftover)
{
	struct splice splice = {.reset_fd = {raw_open(AF_INET), raw_open(AF_INET6)}};

	for (uint32_t i = 0; i < leftover->count; i++) {
		const struct flow_pair *shared = leftover_element(leftover, i);
		const struct splice_pair pair = {
			.splice = &splice,
			.shared = (struct flow_pair *)shared,
			.keys = {shared->in[FLOW_UP].key, shared->in[FLOW_DOWN].key},
		};

		if (leftover_state(leftover, i) == GATE_SPLICED && !flow_is_over(shared))
			splice_pair_reset(&pair);
	}
	for (size_t i = 0; i < ARRAY_SIZE(splice.reset_fd); i++)
		if (splice.reset_fd[i] >= 0)
			close(splice.reset_fd[i]);
}

/* The programs go first: what the ends still send is then the stack's to refuse. */
static int discard(const struct pin *pin, uint32_t *ret_count)
{
	struct leftover leftover = {};
	int err = leftover_open(pin, &leftover);

	if (!err && leftover.meta.netns != pin_netns() && leftover_count_spliced(&leftover) > 0)
		err = -EXDEV;
	if (!err) {
		*ret_count = leftover_count_spliced(&leftover);
		detach_programs(pin, leftover.map_id);
		if (leftover_is_readable(&leftover))
			reset_all(&leftover);
		pin_clear(pin);
	}
	leftover_close(&leftover);
	return err;
}

int flows_discard(const char *directory, uint32_t *ret_count)
{
	struct pin *pin;
	int err;

	fastpath_log_libbpf();
	err = pin_open_to_discard(directory, &pin);
	if (err)
		return err;
	err = discard(pin, ret_count);
	pin_close(pin);
	return err;
}
