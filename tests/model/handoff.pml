/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hand-over of two relayed connections to the packet programs, for spin: userspace/fastpath/
 * handoff.c, bpf/lib/flow.h and bpf/lib/tail.h, with the sockets, the lines and the ends around them.
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
#define TAIL 4		/* spliced, but the sockets still deliver what they had */
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
byte joined_seq[2];		/* the first number of what arrives that is spliced */
byte told[2];			/* the highest acknowledgement that the socket was told of */

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
/* Retransmissions take longer than what is due at once: the daemon's next steps, and what a socket
 * has room to send. Of two that are due, the tail's comes first, for the other is of no use before. */
#define has_unsent(s) (is_open[s] && !in_repair[s] && nxt[s] < BASE + written[s] && nxt[s] - una[s] < WINDOW)
#define has_unacked(s) (is_open[s] && !in_repair[s] && una[s] < nxt[s])
#define relay_is_idle (is_dead || (taken[0] == rcv[0] && taken[1] == rcv[1] && !has_unsent(0) && !has_unsent(1)))
#define time_passes (nothing_under_way && !is_closing && relay_is_idle)

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
	:: d_step { !is_reset[me] && far_una < far_nxt && time_passes && !has_unacked(1 - me) ->
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
	for_socket = 0;
	hooks_at_work--
}

/* The first number of the other end's, as acks of direction @d say it: below it they are for our
 * socket. */
#define line_of(d) (joined_seq[1 - d] + seq_delta[1 - d])
#define up_to_line(ack) (ack < line_of(me) -> ack : line_of(me))
#define from_line(ack) (ack < line_of(me) -> line_of(me) : ack)

/* pass_tail() of bpf/lib/tail.h. The copy takes a way of its own. */
inline pass_tail()
{
	d_step {
#ifdef BROKEN_SOCKETS_NOT_TOLD
		for_socket = 0;
		ack = from_line(ack);
		forward()
#else
		for_socket = up_to_line(ack);
		if
		:: kind == BARE && ack < line_of(me) -> told[me] = for_socket
		:: kind != BARE && for_socket <= told[me] ->
			for_socket = 0;
			ack = from_line(ack);
			forward()
		:: else ->
			told[me] = for_socket;
			ack = from_line(ack);
			forward()
		fi
#endif
	};
	if
	:: for_socket == 0 -> d_step { finish_packet() }
	:: else -> d_step {
			/* A byte that it has had already. */
			seq = joined_seq[me] - kind;
			ack = for_socket;
			content = seq;
			socket_receive(me);
			finish_packet()
		}
	fi
}

proctype hook(bit me)
{
	byte seq, kind, ack, content, state, for_socket;
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
		:: state == TAIL -> pass_tail()
#ifdef BROKEN_PASSED_WITHOUT_NEXT_HOP
		:: d_step { state == SPLICED && detours > 0 && is_open[me] && content != FOREIGN ->
			detours--; socket_receive(me); finish_packet() }
#endif
		:: d_step { state == SPLICED -> forward(); finish_packet() }
		:: d_step { state != SPLICED && state != TAIL -> socket_receive(me); finish_packet() }
		fi
	od
}

/* --- The daemon: splice_join() of userspace/fastpath/handoff.c ---------------------------------- */

/* Neither end's FIN was read or passed on. */
#define is_established(s) (rcv[s] < length(s) && written[s] < length(1 - s))
#ifdef BROKEN_RECORDS_IGNORED
#define is_caught_up(s) seen_any[s]
#else
#define is_caught_up(s) (seen_any[s] && seen_end[s] == rcv_[s])
#endif
#ifdef BROKEN_UNREAD_IGNORED
#define unread(s) 0
#else
#define unread(s) (rcv[s] - taken[s])
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

inline read_leg(s)
{
	d_step {
		rcv_[s] = rcv[s]; unread_[s] = unread(s); una_[s] = una[s];
		end_[s] = BASE + written[s]; is_quiet = is_quiet && is_established(s)
	}
}

inline compare()
{
	is_quiet = is_quiet && is_caught_up(0);
	is_quiet = is_quiet && is_caught_up(1)
}

inline translate(from)
{
	d_step {
		seq_delta[from] = end_[1 - from] + unread_[from] - rcv_[from];
		ack_delta[from] = rcv_[1 - from] - (end_[from] + unread_[1 - from]);
		joined_seq[from] = rcv_[from];
		told[from] = una_[from]
	}
}

inline swap(g)
{
	d_step {
		if
#ifdef BROKEN_COUNT_IGNORED
		:: is_quiet -> gate[g] = TAIL
#else
		:: is_quiet && !was_raised[g] -> gate[g] = TAIL
#endif
		:: else -> is_quiet = false
		fi
	}
}

inline write_translations()
{
	if
	:: is_quiet -> translate(0); translate(1)
	:: else
	fi
}

inline open_gate()
{
#ifdef BROKEN_GATE_BEFORE_TRANSLATIONS
	swap(0);
	write_translations()
#else
	write_translations();
	swap(0)
#endif
#ifdef BROKEN_GATE_PER_DIRECTION
	;
	swap(1)
#endif
}

/* When no packet from before can reach the sockets any more: one without a socket would be answered
 * with a reset. The client's is dissolved, the backend's holds its port and hears nothing. Their
 * numbers are no longer looked at. */
inline freeze()
{
	d_step {
#ifndef BROKEN_DISSOLVED_AT_ONCE
		hooks_at_work == 0 ->
#endif
		is_open[0] = false; is_frozen[1] = true;
		una[0] = 0; nxt[0] = 0; rcv[0] = 0; taken[0] = 0; written[0] = 0; patience[0] = 0;
		una[1] = 0; nxt[1] = 0; rcv[1] = 0; taken[1] = 0; written[1] = 0; patience[1] = 0;
		seen_end[0] = 0; seen_ack[0] = 0; seen_end[1] = 0; seen_ack[1] = 0
	}
}

inline forget_numbers()
{
	rcv_[0] = 0; rcv_[1] = 0; unread_[0] = 0; unread_[1] = 0; una_[0] = 0; una_[1] = 0; end_[0] = 0;
	end_[1] = 0;
	was_raised[0] = false; was_raised[1] = false; is_quiet = false
}

inline join()
{
	d_step { tries--; was_raised[0] = false; was_raised[1] = false; is_quiet = true };
	read_leg(0);
	read_leg(1);
	compare();
	open_gate();
	d_step {
		is_joined = is_quiet;
#ifdef REACHES_A_TAIL
		assert(!is_joined || !(unread_[0] > 0 && end_[0] > una_[0]));
#endif
		forget_numbers()
	}
}

/* All is read, sent, and acknowledged up to the other end's first number. */
#ifdef BROKEN_TAIL_CUT_EARLY
#define has_tail(s) (taken[s] < rcv[s])
#else
#define has_tail(s) (taken[s] < rcv[s] || una[s] < BASE + written[s] || una[s] < line_of(s))
#endif

/* Silenced, a socket says nothing when the daemon dies. */
inline cut_tail()
{
#ifdef BROKEN_SILENCED_LATE
	d_step { gate[0] = SPLICED; gate[1] = SPLICED };
	in_repair[0] = true;
	in_repair[1] = true
#else
	in_repair[0] = true;
	in_repair[1] = true;
	d_step { gate[0] = SPLICED; gate[1] = SPLICED }
#endif
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
	byte tries = TRIES, rcv_[2], unread_[2], una_[2], end_[2];
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
		:: is_joined && !has_tail(0) && !has_tail(1) -> break
		od;
		cut_tail();
		freeze();
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
