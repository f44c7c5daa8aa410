// SPDX-License-Identifier: Apache-2.0
/* What the guard refuses, and orders to it. They hold until the daemon ends. */
#include "admin/admin_internal.h"
#include "core/clock.h"
#include "core/log.h"

#include <errno.h>
#include <stdio.h>

#define TALKERS_MAX  1000
#define CAPTURE_RATE 1000
#define NS_PER_S     1000000000ULL

static void append_count(struct strbuf *out, const char *key, const struct guard_count *count)
{
	reply_begin(out, key, '{');
	reply_count(out, "packets", count->packets);
	reply_count(out, "bytes", count->bytes);
	reply_end(out, '{');
}

static void append_reasons(const struct guard_facts *facts, struct strbuf *out)
{
	reply_begin(out, "reasons", '[');
	for (int i = 0; i < GUARD_REASON_COUNT; i++) {
		reply_begin(out, NULL, '{');
		reply_text(out, "reason", guard_reason_name((enum guard_reason)i));
		append_count(out, "dropped", &facts->counts[GUARD_COUNT_DROPPED + i]);
		append_count(out, "would_drop", &facts->counts[GUARD_COUNT_WOULD_DROP + i]);
		reply_end(out, '{');
	}
	reply_end(out, '[');
}

static void status(struct guard *guard, struct strbuf *out)
{
	struct guard_facts facts;

	guard_describe(guard, &facts);
	reply_text(out, "mode", guard_mode_name(facts.mode));
	reply_text(out, "place", facts.is_in_kernel ? "packets" : "connections");
	reply_text(out, "place_problem", facts.why_not);
	reply_bool(out, "syn_cookies_ready", facts.has_cookies);
	reply_count(out, "networks_of_files", facts.listed);
	reply_count(out, "networks_by_hand", facts.live);
	reply_count(out, "networks_of_places", facts.places);
	reply_text(out, "places_problem", facts.places_problem);
	reply_count(out, "bans", facts.bans);
	append_count(out, "seen", &facts.seen);
	append_count(out, "allowed", &facts.counts[GUARD_COUNT_ALLOWED]);
	append_count(out, "cookies", &facts.counts[GUARD_COUNT_COOKIES]);
	append_count(out, "cookies_unmade", &facts.counts[GUARD_COUNT_COOKIES_UNMADE]);
	append_reasons(&facts, out);
}

/* --- Lists -------------------------------------------------------------------------------------*/

static void append_live(const struct guard_live *live, void *context)
{
	uint64_t now_s = clock_wall_us() / 1000000, expires_s = live->entry.expires_s;
	struct strbuf *out = context;
	char network[PREFIX_TEXT_SIZE];

	reply_begin(out, NULL, '{');
	reply_text(out, "network", prefix_format(&live->entry.prefix, network));
	reply_text(out, "what", live->entry.why == GUARD_WHY_ALLOW ? "allow" : "block");
	reply_count(out, "seconds_left", expires_s > now_s ? expires_s - now_s : 0);
	reply_text(out, "reason", live->reason);
	reply_end(out, '{');
}

/* As people write sources: an address, or a /64. */
static const char *format_key(const uint8_t key[16], char ret[PREFIX_TEXT_SIZE])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct prefix prefix = {.family = AF_INET6, .bits = 64};

	if (memcmp(key, mapped, sizeof(mapped)) == 0) {
		prefix = (struct prefix){.family = AF_INET, .bits = 32};
		memcpy(prefix.ip, key + 12, 4);
	} else {
		memcpy(prefix.ip, key, 16);
	}
	return prefix_format(&prefix, ret);
}

static void append_ban(const struct guard_ban_entry *ban, void *context)
{
	uint64_t now_ns = clock_monotonic_ns();
	struct strbuf *out = context;
	char network[PREFIX_TEXT_SIZE];

	reply_begin(out, NULL, '{');
	reply_text(out, "network", format_key(ban->key, network));
	reply_text(out, "what", "ban");
	reply_count(out, "seconds_left",
		    ban->until_ns > now_ns ? (ban->until_ns - now_ns + NS_PER_S - 1) / NS_PER_S
					   : 0);
	reply_text(out, "reason", ban->reason);
	reply_end(out, '{');
}

static void list(struct guard *guard, struct strbuf *out)
{
	reply_begin(out, "entries", '[');
	guard_for_each_live(guard, append_live, out);
	guard_for_each_ban(guard, append_ban, out);
	reply_end(out, '[');
}

/* --- Talkers and captured packets --------------------------------------------------------------*/

static void talkers(const struct guard *guard, uint32_t limit, struct strbuf *out)
{
	static struct guard_talker rows[TALKERS_MAX];
	size_t count = guard_talkers(guard, rows, limit < TALKERS_MAX ? limit : TALKERS_MAX);
	uint64_t now_ns = clock_monotonic_ns();
	char network[PREFIX_TEXT_SIZE];

	reply_begin(out, "talkers", '[');
	for (size_t i = 0; i < count; i++) {
		reply_begin(out, NULL, '{');
		reply_text(out, "source", format_key(rows[i].source, network));
		reply_count(out, "packets_per_second", guard_talker_rate(rows[i].count, now_ns));
		reply_count(out, "refused_percent", 100ULL * rows[i].dropped / rows[i].count);
		reply_end(out, '{');
	}
	reply_end(out, '[');
}

static void append_captured(const struct guard_capture *packet, void *context)
{
	static const char digits[] = "0123456789abcdef";
	uint64_t age_ns = clock_monotonic_ns() - packet->at_ns;
	size_t len = packet->captured;
	char hex[2 * GUARD_CAPTURE_BYTES + 1];
	struct strbuf *out = context;

	len = len < GUARD_CAPTURE_BYTES ? len : GUARD_CAPTURE_BYTES;
	for (size_t i = 0; i < len; i++) {
		hex[2 * i] = digits[packet->frame[i] >> 4];
		hex[2 * i + 1] = digits[packet->frame[i] & 15];
	}
	hex[2 * len] = '\0';
	reply_begin(out, NULL, '{');
	reply_count(out, "wall_us", clock_wall_us() - age_ns / 1000);
	reply_count(out, "ifindex", packet->ifindex);
	reply_count(out, "length", packet->len);
	reply_text(out, "reason",
		   packet->reason < GUARD_REASON_COUNT
			   ? guard_reason_name((enum guard_reason)packet->reason)
			   : "");
	reply_bool(out, "dropped", packet->is_dropped);
	reply_text(out, "frame", hex);
	reply_end(out, '{');
}

static void captured(const struct guard *guard, struct strbuf *out)
{
	reply_begin(out, "packets", '[');
	(void)guard_read_captured(guard, append_captured, out);
	reply_end(out, '[');
}

/* --- Orders ------------------------------------------------------------------------------------*/

static int ban(struct guard *guard, const struct control_request *request, const char *reason)
{
	struct address address = {.len = sizeof(address.v6)};

	address.sa.sa_family = request->network.family;
	if (request->network.family == AF_INET)
		memcpy(&address.v4.sin_addr, request->network.ip, 4);
	else
		memcpy(&address.v6.sin6_addr, request->network.ip, 16);
	return guard_ban(guard, &address, request->seconds * UINT64_C(1000), reason);
}

/* Return: 0; -errno. */
static int give_order(struct server *server, const struct control_request *request)
{
	struct guard *guard = server_guard(server);
	const char *reason = request->reason ? request->reason : "by hand";

	switch (request->guard_action) {
	case GUARD_ACTION_BLOCK:
		return guard_list_live(guard, &request->network, GUARD_WHY_BLOCK, request->seconds,
				       reason);
	case GUARD_ACTION_ALLOW:
		return guard_list_live(guard, &request->network, GUARD_WHY_ALLOW, request->seconds,
				       reason);
	case GUARD_ACTION_BAN:
		return ban(guard, request, reason);
	case GUARD_ACTION_UNBLOCK:
		return guard_unlist(guard, &request->network);
	case GUARD_ACTION_MODE:
		return server_set_guard_mode(server, request->mode);
	case GUARD_ACTION_CAPTURE:
		return guard_capture(guard, request->seconds, CAPTURE_RATE);
	default:
		return 0;
	}
}

static void log_order(const struct control_request *request)
{
	char network[PREFIX_TEXT_SIZE];

	if (request->guard_action == GUARD_ACTION_MODE)
		log_info("admin: guard: mode %s", guard_mode_name(request->mode));
	else if (request->has_network)
		log_info("admin: guard: %s %s", guard_action_name(request->guard_action),
			 prefix_format(&request->network, network));
}

static const char *problem_of(int err)
{
	switch (err) {
	case -ENOENT:
		return "that network is neither blocked nor allowed by hand, nor banned";
	case -EEXIST:
		return "it is banned for longer already";
	case -ENOSPC:
		return "too many networks are listed by hand: use a file";
	case -EOPNOTSUPP:
		return "the guard is off: 'sluicectl guard mode monitor' or 'enforce' turns it on";
	case -ENODEV:
		return "there are no packet programs: 'sluicectl guard' says why";
	case -ESHUTDOWN:
		return "the daemon is draining";
	case -E2BIG:
		return "the lists have more networks than the packet programs have room for";
	default:
		return strerror(-err);
	}
}

static void append_result(struct guard *guard, const struct control_request *request,
			  struct strbuf *out)
{
	switch (request->guard_action) {
	case GUARD_ACTION_LIST:
		list(guard, out);
		break;
	case GUARD_ACTION_TALKERS:
		talkers(guard, request->limit, out);
		break;
	case GUARD_ACTION_CAPTURED:
		captured(guard, out);
		break;
	default:
		status(guard, out);
		break;
	}
}

void control_guard(struct server *server, const struct control_request *request, struct strbuf *out)
{
	struct guard *guard = server_guard(server);
	int err = give_order(server, request);

	if (err) {
		reply_error(out,
			    err == -ENOENT ? CONTROL_ERROR_NOT_FOUND : CONTROL_ERROR_BAD_ARGUMENT,
			    problem_of(err));
		return;
	}
	log_order(request);
	reply_ok_begin(out);
	append_result(guard, request, out);
	reply_ok_end(out);
}
