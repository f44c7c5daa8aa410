/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_FASTPATH_INTERNAL_H
#define SLUICE_FASTPATH_INTERNAL_H

#include "abi/flow.h"
#include "core/address.h"
#include "core/compiler.h"
#include "fastpath/ingress.h"
#include "fastpath/splice.h"
#include "fastpath/too_big.h"
#include "io/loop.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct bpf_object;
struct bpf_program;
struct guard_maps;
struct nl_sock;
struct pin;

/* libbpf prints to standard error unless told otherwise: from now on what it says is in the log, at
 * level debug, since callers report the failures themselves. Twice is harmless. */
void fastpath_log_libbpf(void);

/* --- Slots: which elements of `pairs` are free (slots.c) -------------------------------------- */

/*
 * A queue: what was given back last is taken last, and not before SLOT_REST_MS have passed, so that
 * a packet program that still holds the old pair does not act on the new one. One lock for all
 * workers: it is held for some ten nanoseconds, beside twenty system calls of a hand-off.
 */
#define SLOT_REST_MS 1000

struct slots;

/* Return: NULL: out of memory. */
struct slots *slots_new(uint32_t capacity) WARN_UNUSED;
void slots_free(struct slots *slots); /* NULL is allowed */
bool slots_take(struct slots *slots, uint64_t now_ms, uint32_t *ret_slot) WARN_UNUSED;
void slots_give(struct slots *slots, uint64_t now_ms, uint32_t slot);
/* Those of @is_taken, by slot, are in use already. Before any other call. */
void slots_remove(struct slots *slots, const bool *is_taken);
uint32_t slots_used(struct slots *slots);

/* --- Legs: pure parts of a hand-off (legs.c) -------------------------------------------------- */

/* One connection of a pair, as its socket tells. Sequence numbers in host order. */
struct leg {
	struct flow_key key; /* of what arrives on it: from the peer, to us */
	uint8_t options;     /* TCPI_OPT_… */
	uint8_t snd_wscale;  /* what the peer announced */
	uint8_t rcv_wscale;  /* what we announced */
	uint32_t peer_mss;   /* what the peer takes, as far as known; options included */
	uint32_t our_mss;    /* what we announced */
	/* From here on what changes with each packet: leg_take_numbers(). */
	bool is_established; /* at both ends */
	bool has_gap;        /* bytes came out of order */
	uint32_t rcv_nxt, unread;
	uint32_t snd_una, snd_end; /* the first that is not acknowledged; behind the last written */
	uint32_t clock;            /* at least every TSval that was sent */
};

struct leg_numbers;

void leg_take_numbers(struct leg *leg, const struct leg_numbers *numbers);

/* Whether the legs agree on what packets of either may carry. @mtu_up: of the way to the backend.
 */
enum splice_reason legs_compare(const struct leg *client, const struct leg *backend,
				uint32_t mtu_up);

/* Whether the socket has all that the programs have seen on its way, and nobody has ended. */
bool leg_is_caught_up(const struct leg *leg, const struct flow_record *seen);

/* Bytes that the sockets still have to read, send, or hear the end of: of the longer way. */
uint64_t legs_tail(const struct leg *client, const struct leg *backend);

/* While a tail is delivered, what comes from the other end overtakes it, to wait at its receiver or
 * to be sent again. So a tail is to be short against a receiver's buffer. */
#define TAIL_MAX (1u << 20)

/* Milliseconds: more than packets are on their way longer than others. */
#define CLOCK_LEAD 1000

/* Fills everything but the next hops. @seen has a TSval each where both legs use timestamps. */
void legs_translate(const struct leg *client, const struct leg *backend,
		    const struct flow_record seen[FLOW_DIRECTIONS],
		    struct flow_translation ret[FLOW_DIRECTIONS]);

/* --- Sockets of the legs (leg.c); all return 0 or -errno ------------------------------------- */

/* -EAFNOSUPPORT for what is not TCP over IP. */
int leg_read_key(int fd, struct flow_key *ret) WARN_UNUSED;
/* What is agreed for the connection's life, but for its key. */
int leg_read(int fd, struct leg *ret) WARN_UNUSED;
/* peer_mss as the peer announced it, whatever the way to it takes. */
int leg_ask_mss(int fd, struct leg *ret) WARN_UNUSED;
/* It ends without a word to its peer. Nothing may wait to be sent. */
void leg_silence(int fd);
/* What it sends from now on carries @mark. */
void leg_mark(int fd, uint32_t mark);
int leg_enter_repair(int fd) WARN_UNUSED;
/* In repair mode, of a connection at rest: snd_end, rcv_nxt and clock. */
int leg_read_numbers(int fd, struct leg *ret) WARN_UNUSED;
void leg_leave_repair(int fd);
/* Makes the peer send a packet. */
void leg_provoke(int fd);
/* In repair mode: its connection is carried on by others, and its tuple may be listened on. */
int leg_dissolve(int fd) WARN_UNUSED;
/* Its connection is carried on by others: whatever still arrives must not reach it. */
void leg_freeze(int fd);
/* A frozen socket for a connection that has lost its own (hold.c): @key arrives on it.
 * Return: the descriptor, to be closed when the connection is over; -errno. */
int leg_hold(const struct flow_key *key);

/* --- The switch (handoff.c) --------------------------------------------------------------------
 */

/* Says beside the keys that the gate is open, if it is. */
void handoff_allow_short_way(struct flow_pair *shared);

/* --- Resets (reset.c) ---------------------------------------------------------------------------
 */

#define RESET_PACKET_SIZE 60

/* An RST|ACK with its IP header, checksums set. @key: source is whom it seems to come from.
 * Return: bytes. */
uint32_t reset_build(const struct flow_key *key, uint32_t seq, uint32_t ack,
		     uint8_t ret[RESET_PACKET_SIZE]);

/* @fd: from raw_open(). Return: 0; -errno. */
int reset_send(int fd, const struct flow_key *key, uint32_t seq, uint32_t ack);

/*
 * An acknowledgement of nothing new, with a number that was used before: whoever is there answers
 * with an acknowledgement, a host that has forgotten the connection with an RST, and neither takes
 * anything else from it (RFC 9293 section 3.8.4).
 */
#define KEEPALIVE_PACKET_SIZE 72

struct keepalive {
	struct flow_key key; /* source: whom it seems to come from */
	uint32_t next_seq, ack;
	bool has_timestamps;
	uint32_t tsval, tsecr;
};

/* Return: bytes. */
uint32_t keepalive_build(const struct keepalive *keepalive, uint8_t ret[KEEPALIVE_PACKET_SIZE]);

/* @fd: from raw_open(). Return: 0; -errno. */
int keepalive_send(int fd, const struct keepalive *keepalive);

/* Where the filters are at TC. Low priorities run first; programs of container networks commonly
 * take 1. Each instance has a handle of its own, so that several stand side by side; without a name
 * it is the first. */
#define HOOK_TC_PRIORITY 0xc5
#define HOOK_TC_HANDLE   1
#define HOOK_TC_HANDLES  4096

/* --- The hooks (hook_tc.c, hook_xdp.c) -------------------------------------------------------- */

/* A daemon that was killed leaves its programs; they are known by being pinned, or by their names.
 * Return: a descriptor of the program; -EBUSY: it is another's. */
int hook_open_named(uint32_t prog_id, const char *name) WARN_UNUSED;
/* By its name. */
bool hook_is_ours(uint32_t prog_id, const char *name);

/* Ingress and egress, in place of what a killed daemon left. Return: 0; -EBUSY: others have taken
 * our place; -errno. */
int hook_tc_attach(uint32_t ifindex, const struct bpf_program *ingress,
		   const struct bpf_program *egress, const struct pin *pin) WARN_UNUSED;
void hook_tc_detach(uint32_t ifindex, const struct pin *pin);

/* In the driver. Return: 0; -EBUSY with *@ret_other, the id of a program of others; -errno. */
int hook_xdp_attach(uint32_t ifindex, const struct bpf_program *program, const struct pin *pin,
		    uint32_t *ret_other) WARN_UNUSED;
/* Return: the id of the program there, in whatever mode; 0: none. */
uint32_t hook_xdp_look(uint32_t ifindex, bool *ret_is_ours);
/* If it is ours that is there, or a killed daemon's. */
void hook_xdp_detach(uint32_t ifindex, const struct pin *pin);

/* --- What drivers can do at XDP (device_xdp.c) --------------------------------------------------
 */

#define DRIVER_NAME_SIZE 32

struct device_xdp {
	char driver[DRIVER_NAME_SIZE]; /* "": not known */
	bool is_told;                  /* by the kernel; otherwise judged by the driver's name */
	bool can_redirect;             /* runs programs itself, and they may redirect */
	bool can_send;                 /* what programs of other devices redirect to it */
};

void device_xdp_query(uint32_t ifindex, struct device_xdp *ret);

/* Return: NULL: try it; or why not, static. */
const char *device_xdp_obstacle(const struct device_xdp *device, enum splice_hook hook);

struct attach;

/* A non-blocking socket that hears of changes. Return: NULL: the kernel does not tell. */
struct nl_sock *device_xdp_monitor_new(void) WARN_UNUSED;
/* Return: whether something has changed. */
bool device_xdp_monitor_read(struct nl_sock *sock, struct attach *attach);

/* --- Links: which device has which program (attach.c) -------------------------------------------
 */

struct link_facts {
	uint32_t ifindex, mtu;
	uint8_t mac[6];
	bool is_loopback;
	char name[16]; /* IF_NAMESIZE */
};

/* Programs are borrowed; names for the call only. */
struct attach_options {
	const struct bpf_program *ingress, *egress;
	const struct bpf_program *xdp; /* NULL: none */
	const struct pin *pin;         /* NULL: none */
	enum splice_hook hook;
	const char *const *interfaces;
	size_t ninterfaces; /* 0: all */
};

/* Return: 0; -ENOMEM. */
int attach_new(const struct attach_options *options, struct attach **ret) WARN_UNUSED;
/* Detaches. NULL is allowed. */
void attach_free(struct attach *attach);
/* The programs stay where they are. NULL is allowed. */
void attach_leave(struct attach *attach);
/* A device is there, has changed, or has gone. Thread: control. */
void attach_on_link(struct attach *attach, const struct link_facts *facts);
void attach_on_link_gone(struct attach *attach, uint32_t ifindex);
/* @xdp: all but the driver's name. */
void attach_on_xdp_change(struct attach *attach, uint32_t ifindex, const struct device_xdp *xdp);

struct attached {
	struct link_facts facts;
	bool has_xdp;
	bool takes_xdp; /* some device has XDP, and this one sends what it redirects */
};

/* Return: false: the programs are not attached to it. Thread: any. */
bool attach_look(struct attach *attach, uint32_t ifindex, struct attached *ret);

/* Calls @on_change now and when it changes: whether every device with programs, but lo, sends what
 * XDP redirects to it. NULL ends it. Thread: control. */
void attach_watch_sending(struct attach *attach, void (*on_change)(bool all_send, void *context),
			  void *context);

void attach_for_each(struct attach *attach,
		     void (*visit)(const struct splice_device *device, void *context),
		     void *context);

/* --- Netlink (route.c) --------------------------------------------------------------------------
 */

struct route {
	uint32_t ifindex;
	uint32_t mtu; /* of the route; 0: the device's */
	uint8_t gateway[16];
	bool is_local; /* to ourselves */
};

struct nlattr;

/* Return: the socket; NULL. */
struct nl_sock *route_socket_new(void) WARN_UNUSED;

/* An address attribute; v4-mapped for IPv4. */
void route_map_address(struct nlattr *attribute, uint8_t ret[16]);

/* Asks the kernel for the way to @destination; both addresses v4-mapped for IPv4.
 * Return: 0; -ENETUNREACH or another -errno. */
int route_query(struct nl_sock *sock, const uint8_t source[16], const uint8_t destination[16],
		struct route *ret) WARN_UNUSED;

/* Tells @attach of every Ethernet-like device and of lo. Return: 0; -errno. */
int route_list_links(struct nl_sock *sock, struct attach *attach) WARN_UNUSED;

/* A non-blocking socket that hears of links, addresses and routes. Return: NULL on failure. */
struct nl_sock *route_monitor_new(void) WARN_UNUSED;

/* Reads what there is. Return: whether something may have changed; false: nothing was there.
 * Sets *@ret_lost when news were lost. */
bool route_monitor_read(struct nl_sock *sock, struct attach *attach, bool *ret_lost);

/* --- Neighbours: link layer addresses (neighbour.c) ----------------------------------------------
 */

#define NEIGHBOUR_BUCKETS 1024

struct neighbour_key {
	uint32_t ifindex;
	uint8_t ip[16]; /* v4-mapped for IPv4 */
};

struct neighbour_facts {
	struct neighbour_key key;
	uint16_t state; /* NUD_… */
	bool is_known;
	uint8_t mac[6]; /* zero if it is not known */
};

struct neighbour {
	struct neighbour *next; /* of the bucket */
	uint32_t refs;
	struct neighbour_facts facts;
};

struct neighbours;
struct nexthops;

/* Return: NULL: out of memory or descriptors. */
struct neighbours *neighbours_new(void) WARN_UNUSED;
void neighbours_free(struct neighbours *neighbours); /* NULL is allowed */
/* Takes a reference. A new one is asked of the kernel. Return: NULL: out of memory. */
struct neighbour *neighbours_get(struct neighbours *neighbours, const struct neighbour_key *key);
void neighbours_put(struct neighbours *neighbours, struct neighbour *neighbour); /* or NULL */
/* Return: the neighbour, if it is one of ours and its address is another now; NULL. */
struct neighbour *neighbours_update(struct neighbours *neighbours,
				    const struct neighbour_facts *facts);
/* Has the kernel make sure of the neighbours in @bucket, and reads them. */
void neighbours_tend(struct neighbours *neighbours, uint32_t bucket,
		     void (*on_change)(struct neighbour *neighbour, void *context), void *context);

/* A non-blocking socket that hears of changes, for @hops. Return: NULL on failure. */
struct nl_sock *neighbour_monitor_new(void) WARN_UNUSED;
void neighbour_monitor_read(struct nl_sock *sock, struct nexthops *hops);

/* --- Next hops (nexthop.c)
 * -------------------------------------------------------------------------- */

/* @map_fd: of `nexthops`, with @capacity elements. Return: 0; -ENOMEM; -errno. */
int nexthops_new(int map_fd, uint32_t capacity, struct attach *attach,
		 struct nexthops **ret) WARN_UNUSED;
void nexthops_free(struct nexthops *hops); /* NULL is allowed */

/* Takes a reference to the entry for this way. Return: NONE with *@ret_index and *@ret_mtu; else
 * why not. Thread: any. */
enum splice_reason nexthops_get(struct nexthops *hops, const uint8_t source[16],
				const uint8_t destination[16], uint32_t *ret_index,
				uint32_t *ret_mtu) WARN_UNUSED;
void nexthops_put(struct nexthops *hops, uint32_t index);

/*
 * @index, of what an earlier daemon has left in the map, is this way's: takes a reference. Before
 * any other call; then nexthops_adopted(), once. Return: 0; -ERANGE; -EEXIST: it is another way's.
 */
int nexthops_adopt(struct nexthops *hops, const uint8_t source[16], const uint8_t destination[16],
		   uint32_t index) WARN_UNUSED;
void nexthops_adopted(struct nexthops *hops);

/* Asks again for every way. Thread: control. */
void nexthops_refresh(struct nexthops *hops);

/* Takes up what a neighbour has become. Thread: control. */
void nexthops_on_neighbour(struct nexthops *hops, const struct neighbour_facts *facts);
/* Has the kernel make sure of the neighbours that XDP sends to. Thread: control. */
void nexthops_tend(struct nexthops *hops);

/* @index: held. Thread: any. */
void nexthops_look(struct nexthops *hops, uint32_t index, struct flow_nexthop *ret);

/* --- News of the network (network.c) ------------------------------------------------------------
 */

struct network;

/* Tells @attach of the links that there are, and both of what changes. Thread: control. */
int network_follow(struct io_loop *loop, struct attach *attach, struct nexthops *nexthops,
		   struct network **ret) WARN_UNUSED;
void network_free(struct network *network); /* NULL is allowed */

/* --- Events (events.c) ------------------------------------------------------------------------ */

struct events;
/* @event: borrowed for the call; its fields are as the programs wrote them. */
typedef void events_fn(void *context, const struct flow_event *event);

/* @map_fd: of `events`, borrowed. @on_event: on @loop's thread. Return: 0; -ENOMEM; -errno. */
int events_new(int map_fd, struct io_loop *loop, events_fn *on_event, void *context,
	       struct events **ret) WARN_UNUSED;
void events_free(struct events *events); /* NULL is allowed */

/* Adds up what every CPU has not told of. @map_fd: of `event_uses`. Thread: any. */
void events_untold(int map_fd, uint64_t ret[FLOW_EVENT_KINDS]);

/* --- Pinned maps (pin.c) ---------------------------------------------------------------------- */

/* As pin_open(), of what is there: for whoever looks, without a lock; for whoever takes it away.
 * Return: 0; -ENOENT; -EBUSY: a daemon has it; another -errno. */
int pin_open_to_read(const char *directory, struct pin **ret) WARN_UNUSED;
int pin_open_to_discard(const char *directory, struct pin **ret) WARN_UNUSED;

/* Return: the descriptor of the map; -ENOENT; another -errno. */
int pin_map(const struct pin *pin, const char *name) WARN_UNUSED;
/* Return: 0; -ENOENT: nothing whole is pinned; -EPROTO. */
int pin_read_meta(const struct pin *pin, struct flow_meta *ret) WARN_UNUSED;
/* Pins every map of @object. Return: 0; -errno. */
int pin_store(const struct pin *pin, const struct bpf_object *object,
	      const struct flow_meta *meta) WARN_UNUSED;
/* Those of dispatch alone. Return: 0; -errno. */
int pin_store_dispatch(const struct pin *pin, const struct bpf_object *object) WARN_UNUSED;
/* Before the load: its maps, but for those of dispatch, are those that are pinned.
 * Return: 0; -errno. */
int pin_reuse(const struct pin *pin, struct bpf_object *object) WARN_UNUSED;
/* Pins a program, so that a later daemon knows it where it is attached; the one that is pinned by
 * its name is known as well until pin_forget_program(). Return: 0; -errno. */
int pin_store_program(const struct pin *pin, const struct bpf_program *program) WARN_UNUSED;
void pin_forget_program(const struct pin *pin, const struct bpf_program *program);
/* Return: a descriptor of program @id, if it is pinned by that name; -ENOENT. */
int pin_program(const struct pin *pin, const char *name, uint32_t id) WARN_UNUSED;

/* Removes everything that is pinned. What programs still use lives on. */
void pin_clear(const struct pin *pin);
/* But for programs, by which those that are still attached are known. */
void pin_clear_maps(const struct pin *pin);
/* Of the instance's filters at TC. @pin: NULL: of one without a name. */
uint32_t pin_handle(const struct pin *pin);
/* The cookie of our network namespace. */
uint64_t pin_netns(void);

/* --- The pinned array of pairs, to be read (leftover.c) --------------------------------------- */

struct leftover {
	struct flow_meta meta;
	uint32_t map_id, element_size, count;
	const char *elements;
};

/* Return: 0; -ENOENT: nothing is pinned; -EPROTO; another -errno. To be closed in any case. */
int leftover_open(const struct pin *pin, struct leftover *ret) WARN_UNUSED;
void leftover_close(struct leftover *leftover);
/* Of whatever version. */
enum gate_state leftover_state(const struct leftover *leftover, uint32_t index);
uint32_t leftover_count_spliced(const struct leftover *leftover);
/* Whether its elements are struct flow_pair. */
bool leftover_is_readable(const struct leftover *leftover);
const void *leftover_element(const struct leftover *leftover, uint32_t index);

/* --- Programs of a daemon that is gone (detach.c) --------------------------------------------- */

/* @map_id: of its `pairs`. */
void detach_programs(const struct pin *pin, uint32_t map_id);

/* --- What an earlier daemon has left (adopt.c) ------------------------------------------------ */

/* Return: 0: the maps are to be taken over, and *@max_flows is theirs; -ENOENT: there are none, or
 * none that anybody needs, and the programs are taken off unless @keep_programs; -EPROTO: they are
 * needed, but not ours to read (logged). */
int adopt_choose(const struct pin *pin, bool keep_programs, uint32_t *max_flows) WARN_UNUSED;
/* Sweeps the maps, and makes what is alive a list of pairs of ours. */
void adopt_pairs(struct splice *splice);

/* --- All of it
 * ------------------------------------------------------------------------------------------- */

/* --- The guard's tables (guard_maps.c) ---------------------------------------------------------
 */

/* Before load: room for the rates of @sources. Return: a descriptor that is needed for the load and
 * is the caller's; -errno. */
int guard_maps_size(struct bpf_object *object, uint32_t sources) WARN_UNUSED;
/* @object: loaded, borrowed. @sources: as before. */
int guard_maps_new(const struct bpf_object *object, uint32_t sources,
		   struct guard_maps **ret) WARN_UNUSED;
void guard_maps_free(struct guard_maps *maps); /* NULL is allowed */

struct splice {
	struct ingress ingress;
	struct tc_egress_bpf *egress;
	struct legs_bpf *legs;
	int legs_fd;             /* of the program that reads sockets */
	struct flow_pair *pairs; /* the maps, shared with the programs */
	struct flow_bucket *buckets;
	void **owners; /* by slot: of the pair that is there, as its observer said */
	uint32_t max_flows, nbuckets;
	pthread_mutex_t table_lock; /* writers of @buckets; held for the time of some stores */
	int reset_fd[2];            /* raw_open() of IPv4, IPv6; negative: none */
	struct slots *slots;
	struct attach *attach;
	struct nexthops *nexthops;
	struct events *events;
	struct raw_budget too_big, lost; /* what is told to senders */
	struct guard_maps *guard;

	struct network *network;
	struct io_loop *loop;

	bool has_dispatch;           /* its maps are of a size to be used */
	bool is_dispatch_left;       /* its plan outlives us */
	const struct pin *pin;       /* NULL: nothing outlives us */
	bool has_pinned;             /* what is pinned is ours to remove */
	struct splice_pair *adopted; /* that nobody has taken yet */
	bool *is_adopted;            /* by slot; written by the control thread alone */
	_Atomic uint32_t nlasting;   /* joined pairs that stay when we go */

	void (*on_end)(void *context, uint32_t slot, uint64_t id); /* NULL: nobody asks */
	void *context;
};

/* --- A pair
 * ---------------------------------------------------------------------------------------------- */

struct splice_pair {
	struct splice *splice;
	struct flow_pair *shared; /* with the programs */
	uint32_t slot;
	uint32_t nexthop[FLOW_DIRECTIONS]; /* by direction; of them @nexthops are held */
	uint32_t nnexthops;
	uint32_t nflows; /* of the directions that are in `buckets` */
	int client_fd, backend_fd;
	bool is_joined, is_frozen;
	bool is_adopted;            /* @backend_fd is ours then, or -1 */
	struct splice_pair *next;   /* adopted, and not taken yet */
	struct leg client, backend; /* as they were agreed */
	struct flow_key keys[FLOW_DIRECTIONS];
};

/* RST to both ends of a joined pair, built from what was recorded. */
void splice_pair_reset(const struct splice_pair *pair);

/* An address of the tables, with v4-mapped ones as IPv4. */
void address_from_key(const uint8_t ip[16], uint16_t port, struct address *ret);

/* Adds up what every CPU has counted. @map_fd: of `verdicts`. */
void verdicts_read(int map_fd, uint64_t ret[FLOW_VERDICT_COUNT]);

#endif
