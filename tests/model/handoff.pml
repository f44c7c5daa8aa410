/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hand-over of two relayed connections to the packet programs, for spin: userspace/fastpath/
 * handoff.c and bpf/lib/flow.h, with the sockets, the lines and the ends around them.
 *
 *            to_hook[0]             sockets' queues                 to_far[1]
 *   far(0) ────────────► hook(0) ─► socket 0 ─► daemon ─► socket 1 ───────────► far(1)
 *   client                   └───────────────── spliced ───────────────────►    backend
 *
 * and the same from right to left. A segment is one byte; the FIN is the last byte of each stream.
 * README.md says what is checked, what is left out and why that is sound. Each BROKEN_… takes one
 * rule of the protocol away; run shows that the checker then finds the harm.
 */

/* --- Bounds: each may be set by -D -------------------------------------------------------------- */

#ifndef UP
#define UP 2		/* bytes of each stream, its FIN included */
#endif
#ifndef DOWN
#define DOWN 2
#endif
#ifndef WINDOW
#define WINDOW 1	/* bytes that may be under way from one end */
#endif
#ifndef LINE
#define LINE 1		/* packets on a line; more are dropped */
#endif
#ifndef CPUS
#define CPUS 1		/* that take the client's packets side by side, each up to the socket */
#endif
#ifndef TRIES
#define TRIES 2		/* hand-overs that may be tried */
#endif
#ifndef LOSSES
#define LOSSES 0	/* packets that the lines lose */
#endif
#ifndef SPURIOUS
#define SPURIOUS 0	/* retransmissions that nothing calls for */
#endif
#ifndef REORDERINGS
#define REORDERINGS 0	/* packets that the next one overtakes */
#endif
#ifndef DEATHS
#define DEATHS 0	/* kills of the daemon: 0 or 1 */
#endif
#ifndef LATE
#define LATE 0		/* 1: the pair is registered while packets are under way */
#endif

#define BASE 8		/* where the sockets' own numbers begin; those of the far ends begin at 0 */
#define PATIENCE (LOSSES + 5)	/* retransmissions in a row, one of which must have got an answer */
#define FOREIGN 99	/* content of a connection that came later */

/* --- What is shared ----------------------------------------------------------------------------- */

/* Of a packet: seq, kind, ack, content (the byte's place in its stream, which no hook changes). */
#define BARE 0
#define BYTE 1
#define RESET 2

chan to_hook[2] = [LINE] of {byte, byte, byte, byte};
chan to_far[2] = [LINE] of {byte, byte, byte, byte};
byte hooks_at_work;

/* The sockets of the proxy: 0 towards the client, 1 towards the backend. */
byte una[2], nxt[2];		/* of what they send */
byte rcv[2];			/* next number that is expected */
byte taken[2];			/* of what was received: read by the daemon */
byte written[2];		/* to them by the daemon, in all */
byte patience[2];		/* retransmissions without an answer */
bool is_open[2], in_repair[2], is_frozen[2];

/* The pair. It has one gate, the first; a broken variant has one for each direction. */
#define FREE 0
#define OBSERVE 1
#define SPLICED 2
#define PASS 3
#ifdef BROKEN_GATE_PER_DIRECTION
#define GATE(direction) direction
#else
#define GATE(direction) 0
#endif
byte gate[2];
/* The gate's count matters only against the one that the daemon has read: was it raised since? */
bool was_raised[2];
bool is_in_flows[2];
bool seen_any[2], seen_fin[2], seen_fin_acked[2];
byte seen_end[2], seen_ack[2];
short seq_delta[2], ack_delta[2];

byte far_got[2];		/* bytes that arrived in order at the far ends */
bool is_reset[2];

bool is_killed, is_dead, is_joined, is_closing;
byte losses = LOSSES, spurious = SPURIOUS, reorderings = REORDERINGS;
#ifdef BROKEN_PASSED_WITHOUT_NEXT_HOP
byte detours = 1;
#endif

#define length(end) ((end) == 0 -> UP : DOWN)
#define nothing_under_way (hooks_at_work == 0 && empty(to_hook[0]) && empty(to_hook[1]) && \
	empty(to_far[0]) && empty(to_far[1]))
/* Where the daemon has two steps to go, no retransmission comes in between. */
#define time_passes (nothing_under_way && !is_closing)

/* A full line drops, as any queue does. */
inline put(line, a, b, c, d)
{
	if
	:: len(line) == LINE -> skip
	:: else -> line!a, b, c, d
	fi
}

/* Dead values must not tell states apart. */
inline forget_packet()
{
	seq = 0; kind = 0; ack = 0; content = 0
}

/* --- The ends ----------------------------------------------------------------------------------- */

inline far_send(number)
{
	put(to_hook[me], number, BYTE, BASE + far_got[me], number)
}

/* What reaches an application is the next byte of the other one's stream, or the model fails. */
inline far_receive()
{
	d_step {
		to_far[me]?seq, kind, ack, content;
		if
		:: kind == RESET ->
			/* Only the daemon's death may cut a connection short. */
			assert((is_dead && gate[0] != SPLICED) ||
				(far_got[0] == DOWN && far_got[1] == UP));
			is_reset[me] = true
		:: else ->
			assert(ack <= far_nxt);		/* what was never sent is not acknowledged */
			if
			:: ack > far_una -> far_una = ack; retries = 0
			:: else
			fi;
			if
			:: kind == BYTE && seq == BASE + far_got[me] ->
				assert(content == far_got[me]);
				far_got[me]++
			:: else
			fi;
			if
			:: kind == BYTE -> put(to_hook[me], far_nxt, BARE, BASE + far_got[me], 0)
			:: else
			fi
		fi;
		forget_packet()
	}
}

proctype far(bit me)
{
	byte far_una, far_nxt, retries, seq, kind, ack, content;

	do
	:: d_step { !is_reset[me] && far_nxt < length(me) && far_nxt - far_una < WINDOW && nfull(to_hook[me]) ->
		far_send(far_nxt); far_nxt++ }
	:: d_step { !is_reset[me] && far_una < far_nxt && spurious > 0 && nfull(to_hook[me]) ->
		spurious--; far_send(far_una) }
	:: d_step { !is_reset[me] && far_una < far_nxt && time_passes ->
		retries++; assert(retries <= PATIENCE); far_send(far_una) }
	:: far_receive()
	:: is_reset[me] -> break
	:: far_una == length(me) && far_got[me] == length(1 - me) -> break
	/* Whom nobody told of the daemon's death: keep-alive will. */
	:: is_dead && gate[0] != SPLICED && far_una == far_nxt && nothing_under_way -> break
	od;
	/* Its kernel still answers. */
end:	do
	:: far_receive()
	od
}

/* --- The lines ---------------------------------------------------------------------------------- */

inline lose(line)
{
	d_step { losses > 0 && nempty(line) -> line?seq, kind, ack, content; losses--; forget_packet() }
}

inline reorder(line)
{
	d_step {
		reorderings > 0 && len(line) > 1 ->
		line?seq, kind, ack, content;
		line!seq, kind, ack, content;
		reorderings--;
		forget_packet()
	}
}

active proctype lines()
{
	byte seq, kind, ack, content;

end:	do
	:: lose(to_hook[0])
	:: lose(to_hook[1])
	:: lose(to_far[0])
	:: lose(to_far[1])
	:: reorder(to_hook[0])
	:: reorder(to_hook[1])
	:: reorder(to_far[0])
	:: reorder(to_far[1])
	od
}

/* --- The proxy's sockets ------------------------------------------------------------------------ */

inline socket_send(s, number)
{
	put(to_far[s], number, BYTE, rcv[s], number - BASE)
}

inline socket_take(s)
{
	if
	:: ack > una[s] && ack <= nxt[s] -> una[s] = ack; patience[s] = 0
	:: else
	fi;
	if
	:: kind == BYTE && seq == rcv[s] -> assert(content == seq); rcv[s]++
	:: else
	fi;
	if
	:: kind == BYTE -> put(to_far[s], nxt[s], BARE, rcv[s], 0)
	:: else
	fi
}

/* In repair mode a socket takes and answers, but sends nothing by itself. */
inline socket_receive(s)
{
	if
	:: content == FOREIGN || is_frozen[s] -> skip
	:: else ->
		if
		:: is_open[s] -> socket_take(s)
		:: else -> put(to_far[s], ack, RESET, seq, 0)
		fi
	fi
}

#define can_send(s) (is_open[s] && !in_repair[s])

active [2] proctype socket()
{
	bit me = _pid & 1;

end:	do
	:: d_step { can_send(me) && nxt[me] - BASE < written[me] && nxt[me] - una[me] < WINDOW &&
		nfull(to_far[me]) ->
		socket_send(me, nxt[me]); nxt[me]++ }
	:: d_step { can_send(me) && una[me] < nxt[me] && spurious > 0 && nfull(to_far[me]) ->
		spurious--; socket_send(me, una[me]) }
	:: d_step { can_send(me) && una[me] < nxt[me] && nothing_under_way ->
		patience[me]++; assert(patience[me] <= PATIENCE); socket_send(me, una[me]) }
	od
}

/* --- The packet program: flow_gate() of bpf/lib/flow.h ------------------------------------------ */

inline raise_count()
{
	d_step { state = gate[GATE(me)]; was_raised[GATE(me)] = true }
}

inline record()
{
#ifdef BROKEN_RECORD_NOT_ATOMIC
	is_later = !seen_any[me] || seq + kind > seen_end[me];
#endif
	d_step {
#ifndef BROKEN_RECORD_NOT_ATOMIC
		is_later = !seen_any[me] || seq + kind > seen_end[me];
#endif
		if
		:: is_later -> seen_end[me] = seq + kind
		:: else
		fi;
		if
		:: !seen_any[me] || ack > seen_ack[me] -> seen_ack[me] = ack
		:: else
		fi;
		seen_any[me] = true;
		is_later = false
	}
}

inline forward()
{
	assert(content != FOREIGN);
	if
	:: kind == BYTE && content == length(me) - 1 -> seen_fin[me] = true
	:: else
	fi;
	if
	:: seen_fin[1 - me] && ack + ack_delta[me] == length(1 - me) -> seen_fin_acked[1 - me] = true
	:: else
	fi;
	put(to_far[1 - me], seq + seq_delta[me], kind, ack + ack_delta[me], content)
}

inline finish_packet()
{
	forget_packet();
	state = 0;
	hooks_at_work--
}

proctype hook(bit me)
{
	byte seq, kind, ack, content, state;
	bool is_later;

end:	do
	:: d_step {
			to_hook[me]?seq, kind, ack, content;
			hooks_at_work++;
			state = (is_in_flows[me] -> gate[GATE(me)] : FREE)
		};
		if
		:: state == OBSERVE ->
#ifdef BROKEN_COUNT_BEFORE_RECORD
			raise_count();
			record()
#else
			record();
			raise_count()
#endif
		:: else
		fi;
		if
		:: d_step { state == SPLICED -> forward(); finish_packet() }
#ifdef BROKEN_PASSED_WITHOUT_NEXT_HOP
		:: d_step { state == SPLICED && detours > 0 && is_open[me] && content != FOREIGN ->
			detours--; socket_receive(me); finish_packet() }
#endif
		:: d_step { state != SPLICED -> socket_receive(me); finish_packet() }
		fi
	od
}

/* --- The daemon: splice_join() of userspace/fastpath/handoff.c ---------------------------------- */

/* What both ends said last was not yet said on this leg, either way. */
#define is_established(s) (rcv[s] < length(s) && written[s] < length(1 - s))
#ifdef BROKEN_SEND_QUEUE_IGNORED
#define all_is_acknowledged(s) true
#else
#define all_is_acknowledged(s) (una[s] == nxt[s] && nxt[s] == BASE + written[s])
#endif
#ifdef BROKEN_RECEIVE_QUEUE_IGNORED
#define all_is_read(s) true
#else
#define all_is_read(s) (taken[s] == rcv[s])
#endif
#define is_settled(s) (is_established(s) && all_is_acknowledged(s) && all_is_read(s))
#ifdef BROKEN_RECORDS_IGNORED
#define is_caught_up(s) seen_any[s]
#else
#define is_caught_up(s) (seen_any[s] && seen_end[s] == end_[s] && seen_ack[s] == own[s])
#endif

/* In one step, for a pump that holds something is not at rest. */
inline relay(from)
{
	d_step { taken[from] < rcv[from] -> taken[from]++; written[1 - from]++ }
}

inline read_one(from)
{
	d_step { taken[from] < rcv[from] -> taken[from]++ }
}

inline write_one(from)
{
	d_step { written[1 - from] < taken[from] -> written[1 - from]++ }
}

inline look()
{
	is_quiet = is_quiet && is_settled(0);
	is_quiet = is_quiet && is_settled(1)
}

inline read_numbers()
{
	d_step { own[0] = nxt[0]; end_[0] = rcv[0] };
	d_step { own[1] = nxt[1]; end_[1] = rcv[1] }
}

inline compare()
{
	is_quiet = is_quiet && is_caught_up(0);
	is_quiet = is_quiet && is_caught_up(1)
}

inline translate()
{
	d_step {
		seq_delta[0] = own[1] - end_[0];
		ack_delta[0] = end_[1] - own[0]
	};
	d_step {
		seq_delta[1] = own[0] - end_[1];
		ack_delta[1] = end_[0] - own[1]
	}
}

inline swap(g)
{
	d_step {
		if
#ifdef BROKEN_COUNT_IGNORED
		:: is_quiet -> gate[g] = SPLICED
#else
		:: is_quiet && !was_raised[g] -> gate[g] = SPLICED
#endif
		:: else -> is_quiet = false
		fi
	}
}

inline open_gate()
{
#ifdef BROKEN_GATE_BEFORE_TRANSLATIONS
	swap(0);
	if
	:: is_quiet -> translate()
	:: else
	fi
#else
	if
	:: is_quiet -> translate()
	:: else
	fi;
	swap(0)
#endif
#ifdef BROKEN_GATE_PER_DIRECTION
	;
	swap(1)
#endif
}

/* The client's is closed, silently, when no packet from before can reach it any more: it would be
 * answered with a reset. The backend's holds its port. */
inline dissolve()
{
#ifdef BROKEN_DISSOLVED_AT_ONCE
	d_step { is_open[0] = false; is_frozen[0] = false }
#else
	d_step { hooks_at_work == 0 -> is_open[0] = false; is_frozen[0] = false }
#endif
}

/* Their numbers are no longer looked at. */
inline freeze()
{
#ifndef BROKEN_NOT_FROZEN
	is_frozen[0] = true;
	d_step {
		is_frozen[1] = true;
		una[0] = 0; nxt[0] = 0; rcv[0] = 0; taken[0] = 0; written[0] = 0; patience[0] = 0;
		una[1] = 0; nxt[1] = 0; rcv[1] = 0; taken[1] = 0; written[1] = 0; patience[1] = 0;
		seen_end[0] = 0; seen_ack[0] = 0; seen_end[1] = 0; seen_ack[1] = 0
	}
#else
	skip
#endif
}

inline leave_repair()
{
	d_step { own[0] = 0; own[1] = 0; end_[0] = 0; end_[1] = 0; was_raised[0] = false; was_raised[1] = false };
#ifndef BROKEN_REPAIR_NOT_LEFT
	in_repair[1] = false;
	in_repair[0] = false
#endif
}

inline repair_and_swap()
{
	in_repair[0] = true;
	in_repair[1] = true;
#ifdef BROKEN_LOOK_BEFORE_NUMBERS
	look();
	read_numbers();
#else
	read_numbers();
	look();
#endif
	compare();
	open_gate();
	if
	:: is_quiet ->
		d_step { is_joined = true; own[0] = 0; own[1] = 0; end_[0] = 0; end_[1] = 0 };
		freeze();
		dissolve()
	:: else -> leave_repair()
	fi
}

inline join()
{
	d_step { tries--; was_raised[0] = false; was_raised[1] = false; is_quiet = true };
	look();
	if
	:: is_quiet -> repair_and_swap()
	:: else
	fi;
	d_step { is_quiet = false; was_raised[0] = false; was_raised[1] = false }
}

inline remove_flows()
{
	d_step { gate[0] = PASS; gate[1] = PASS; is_closing = true };
	is_in_flows[0] = false;
	is_in_flows[1] = false
}

/* Silent: they are in repair mode. From now on the kernel may give the port to another. */
inline close_sockets()
{
	d_step { is_open[0] = false; is_open[1] = false; is_frozen[0] = false; is_frozen[1] = false };
	d_step { is_closing = false; put(to_hook[1], 0, BYTE, BASE, FOREIGN) }
}

inline observe()
{
	d_step { gate[0] = OBSERVE; gate[1] = OBSERVE };
	is_in_flows[0] = true;
	is_in_flows[1] = true
}

/* A socket in repair mode closes silently, another with a reset: what it still had to send does
 * not reach the far end, or reaches it as the bytes that are due. */
inline die()
{
	d_step {
		is_dead = true;
		if
		:: can_send(0) -> put(to_far[0], nxt[0], RESET, rcv[0], 0)
		:: else
		fi;
		if
		:: can_send(1) -> put(to_far[1], nxt[1], RESET, rcv[1], 0)
		:: else
		fi;
		is_open[0] = false; is_open[1] = false; is_frozen[0] = false; is_frozen[1] = false;
		is_closing = false
	}
}

proctype killer()
{
	is_killed = true
}

proctype daemon()
{
	byte tries = TRIES, own[2], end_[2];
	bool is_quiet;

	{
end_relay:	do
#ifdef BROKEN_PUMPS_IGNORED
		:: read_one(0)
		:: write_one(0)
		:: read_one(1)
		:: write_one(1)
#else
		:: relay(0)
		:: relay(1)
#endif
		:: gate[0] == FREE -> observe()
		:: gate[0] == OBSERVE && tries > 0 -> join()
		:: is_joined -> break
		od;
#ifdef REACHES_A_JOIN
		assert(false);
#endif
end_joined:	(seen_fin_acked[0] && seen_fin_acked[1]);
#ifdef BROKEN_CLOSED_BEFORE_FLOWS_GO
		close_sockets();
		remove_flows()
#else
		remove_flows();
		close_sockets()
#endif
	} unless {
		/* The kernel takes longer to close what a process leaves than to finish a packet. */
		is_killed -> hooks_at_work == 0 -> die()
	}
}

init {
	byte cpu;

	atomic {
		una[0] = BASE; una[1] = BASE; nxt[0] = BASE; nxt[1] = BASE;
		is_open[0] = true; is_open[1] = true;
#if LATE == 0
		gate[0] = OBSERVE; gate[1] = OBSERVE;
		is_in_flows[0] = true; is_in_flows[1] = true;
#endif
		run hook(1);
		do
		:: cpu < CPUS -> run hook(0); cpu++
		:: else -> break
		od;
		run far(0); run far(1); run daemon();
		if
		:: DEATHS > 0 -> run killer()
		:: true
		fi
	}
}
