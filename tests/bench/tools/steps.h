/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STEPS_H
#define STEPS_H

/* The steps of a hand-over, by the functions that take them: name, function, what it is shown as.
 */
#define STEPS(X)                               \
	X(OBSERVE, splice_observe, "register") \
	X(JOIN, splice_join, "switch")         \
	X(LOOK, splice_is_delivered, "look")   \
	X(CUT, splice_cut_tail, "cut")         \
	X(FREEZE, splice_freeze, "freeze")

enum step {
#define X(name, function, text) STEP_##name,
	STEPS(X)
#undef X
		STEP_COUNT
};

/* Of each step as many are kept. */
#define SAMPLES_MAX 65536u

#endif
