// SPDX-License-Identifier: Apache-2.0
#include "core/clock.h"
#include "io/watch.h"
#include "unit/io/io_fixture.h"

#include <pthread.h>

static void backends_have_the_names_of_the_configuration(void **state)
{
	(void)state;
	assert_string_equal(io_backend_name(IO_BACKEND_AUTO), "auto");
	assert_string_equal(io_backend_name(IO_BACKEND_URING), "io_uring");
	assert_string_equal(io_backend_name(IO_BACKEND_EPOLL), "epoll");
}

static void auto_takes_io_uring_or_says_why_not(void **state)
{
	const struct io_options options = {};
	struct io_loop *loop;

	(void)state;
	assert_int_equal(io_loop_new(&options, &loop), 0);
	if (io_loop_backend(loop) == IO_BACKEND_URING)
		assert_null(io_loop_fallback_reason(loop));
	else
		assert_non_null(io_loop_fallback_reason(loop));
	io_loop_free(loop);
	io_loop_free(NULL);
}

/* --- Messages ---------------------------------------------------- */

#define SENDERS  4
#define MESSAGES 5000

struct mail {
	struct io_message message;
	struct inbox *inbox;
	int sender, number;
};

struct inbox {
	struct io_loop *loop;
	int next[SENDERS];
	int total;
	struct mail mails[SENDERS][MESSAGES];
};

struct sender {
	struct inbox *inbox;
	int index;
};

static void on_mail(struct io_message *message)
{
	struct mail *mail = container_of(message, struct mail, message);
	struct inbox *inbox = mail->inbox;

	assert_int_equal(mail->number, inbox->next[mail->sender]);
	inbox->next[mail->sender]++;
	inbox->total++;
	io_loop_stop(inbox->loop);
}

static void *post_all(void *argument)
{
	struct sender *sender = argument;

	for (int i = 0; i < MESSAGES; i++) {
		struct mail *mail = &sender->inbox->mails[sender->index][i];

		*mail = (struct mail){.inbox = sender->inbox, .sender = sender->index, .number = i};
		mail->message.on_message = on_mail;
		io_loop_post(sender->inbox->loop, &mail->message);
		if (i % 100 == 0)
			sched_yield();
	}
	return NULL;
}

static void messages_of_each_thread_arrive_in_order(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct inbox *inbox = calloc(1, sizeof(*inbox));
	struct sender senders[SENDERS];
	pthread_t threads[SENDERS];

	assert_non_null(inbox);
	inbox->loop = fixture->loop;
	for (int i = 0; i < SENDERS; i++) {
		senders[i] = (struct sender){.inbox = inbox, .index = i};
		assert_int_equal(pthread_create(&threads[i], NULL, post_all, &senders[i]), 0);
	}
	run_until(fixture, inbox->total == SENDERS * MESSAGES);
	for (int i = 0; i < SENDERS; i++)
		pthread_join(threads[i], NULL);
	free(inbox);
}

static void message_from_the_loop_itself_needs_no_wake_up(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct inbox *inbox = calloc(1, sizeof(*inbox));

	assert_non_null(inbox);
	inbox->loop = fixture->loop;
	inbox->mails[0][0].inbox = inbox;
	inbox->mails[0][0].message.on_message = on_mail;
	io_loop_post(fixture->loop, &inbox->mails[0][0].message);
	assert_int_equal(inbox->total, 0);
	run_until(fixture, inbox->total);
	free(inbox);
}

/* A ping that goes from loop to loop: each wake-up is needed, so a lost one would hang. */
struct player {
	struct io_message ball;
	struct player *other;
	struct io_loop *loop;
	int left;
};

static void on_ball(struct io_message *message)
{
	struct player *player = container_of(message, struct player, ball);

	if (--player->left == 0)
		io_loop_stop(player->loop);
	io_loop_post(player->other->loop, &player->other->ball);
}

static void *play(void *argument)
{
	struct player *player = argument;

	assert_int_equal(io_loop_run(player->loop), 0);
	return NULL;
}

static void loops_wake_each_other(void **state)
{
	struct fixture *fixture = fixture_of(state);
	const struct io_options options = {.backend = io_loop_backend(fixture->loop)};
	struct player a = {.ball.on_message = on_ball, .left = 3000};
	struct player b = {.ball.on_message = on_ball, .left = 3000};
	pthread_t thread;

	a.loop = fixture->loop;
	a.other = &b;
	b.other = &a;
	/* Made here, run there. */
	assert_int_equal(io_loop_new(&options, &b.loop), 0);
	io_loop_post(a.loop, &a.ball);
	assert_int_equal(pthread_create(&thread, NULL, play, &b), 0);
	assert_int_equal(io_loop_run(a.loop), 0);
	pthread_join(thread, NULL);
	assert_int_equal(a.left, 0);
	assert_int_equal(b.left, 0);
	io_loop_free(b.loop);
}

/* --- Tasks and time ----------------------------------------------- */

struct chore {
	struct io_task task;
	struct io_loop *loop;
	struct chore *then;
	int runs;
};

static void on_chore(struct io_task *task)
{
	struct chore *chore = container_of(task, struct chore, task);

	chore->runs++;
	if (chore->then)
		io_loop_defer(chore->loop, &chore->then->task);
	io_loop_stop(chore->loop);
}

static void deferred_task_runs_once_at_the_end_of_the_round(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct chore second = {.loop = fixture->loop, .task.on_run = on_chore};
	struct chore first = {.loop = fixture->loop, .task.on_run = on_chore, .then = &second};

	io_loop_defer(fixture->loop, &first.task);
	io_loop_defer(fixture->loop, &first.task);
	assert_int_equal(first.runs, 0);
	assert_int_equal(io_loop_run(fixture->loop), 0);
	assert_int_equal(first.runs, 1);
	assert_int_equal(second.runs, 1);
}

struct late_chore {
	struct io_watch watch;
	struct io_timer timer;
	struct io_task task;
	struct io_loop *loop;
	bool is_told, was_told_in_time;
};

static void on_told(struct io_task *task)
{
	container_of(task, struct late_chore, task)->is_told = true;
}

static void on_news(struct io_watch *watch, uint32_t ready)
{
	struct late_chore *chore = container_of(watch, struct late_chore, watch);

	(void)ready;
	io_watch_stop(&chore->watch);
	io_loop_defer(chore->loop, &chore->task);
}

static void on_late(struct io_timer *timer)
{
	struct late_chore *chore = container_of(timer, struct late_chore, timer);

	chore->was_told_in_time = chore->is_told;
	io_loop_stop(chore->loop);
}

static void what_has_come_is_told_before_a_timer_of_its_round(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct late_chore chore = {.loop = fixture->loop,
				   .watch.on_ready = on_news,
				   .timer.on_expire = on_late,
				   .task.on_run = on_told};
	int fds[2];

	unix_pair(fds);
	run_for(fixture, 1);
	assert_int_equal(io_watch_start(&chore.watch, fixture->loop, fds[0], IO_READABLE), 0);
	io_timer_start(fixture->loop, &chore.timer, 1);
	assert_int_equal(write(fds[1], "x", 1), 1);
	usleep(20000);
	assert_int_equal(io_loop_run(fixture->loop), 0);
	assert_true(chore.was_told_in_time);
	close(fds[0]);
	close(fds[1]);
}

struct long_chore {
	struct io_task task;
	struct io_loop *loop;
	int fd;
	int runs;
	bool has_arrived; /* what was sent before */
};

static void on_long_chore(struct io_task *task)
{
	struct long_chore *chore = container_of(task, struct long_chore, task);
	char byte;

	chore->runs++;
	chore->has_arrived = recv(chore->fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 1;
	io_loop_stop(chore->loop);
}

static void long_task_has_a_round_and_runs_behind_what_is_sent_in_it(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct long_chore first = {.loop = fixture->loop, .task.on_run = on_long_chore};
	struct long_chore second = first;
	struct recorder recorder;
	int fds[2];

	run_for(fixture, 1);
	unix_pair(fds);
	first.fd = second.fd = fds[1];
	recorder_init(&recorder, fixture, fds[0]);
	io_loop_defer_long(fixture->loop, &first.task);
	io_loop_defer_long(fixture->loop, &first.task);
	io_loop_defer_long(fixture->loop, &second.task);
	recorder_send(&recorder, "x", 1);
	assert_int_equal(first.runs, 0);
	assert_int_equal(io_loop_run(fixture->loop), 0);
	assert_int_equal(first.runs, 1);
	assert_true(first.has_arrived);
	assert_int_equal(second.runs, 0);
	run_until(fixture, second.runs);
	assert_int_equal(first.runs, 1);
	recorder_done(&recorder, fixture);
	close(fds[1]);
}

struct listening_chore {
	struct io_task task;
	struct io_loop *loop;
	int fd;
	bool is_told_before, is_told;
};

static void on_listening_chore(struct io_task *task)
{
	struct listening_chore *chore = container_of(task, struct listening_chore, task);

	chore->is_told_before = io_loop_has_news(chore->loop);
	assert_int_equal(send(chore->fd, "x", 1, 0), 1);
	chore->is_told = io_loop_has_news(chore->loop);
	io_loop_stop(chore->loop);
}

/* Who would have to ask the kernel says yes at any time. */
static void long_task_is_told_that_something_has_come(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct listening_chore chore = {.loop = fixture->loop, .task.on_run = on_listening_chore};
	bool knows = io_loop_backend(fixture->loop) == IO_BACKEND_URING;
	struct recorder recorder;
	int fds[2];

	unix_pair(fds);
	recorder_init(&recorder, fixture, fds[0]);
	io_stream_recv_start(&recorder.stream);
	run_for(fixture, 1);
	chore.fd = fds[1];
	io_loop_defer_long(fixture->loop, &chore.task);
	assert_int_equal(io_loop_run(fixture->loop), 0);
	assert_int_equal(chore.is_told_before, !knows);
	assert_true(chore.is_told);
	recorder_done(&recorder, fixture);
	close(fds[1]);
}

static void clock_of_the_loop_stands_still_within_a_round(void **state)
{
	struct fixture *fixture = fixture_of(state);
	uint64_t before;

	run_for(fixture, 3);
	before = io_loop_now_us(fixture->loop);
	while (clock_monotonic_ns() / 1000 < before + 2000)
		;
	assert_int_equal(io_loop_now_us(fixture->loop), before);
	assert_int_equal(io_loop_now_ms(fixture->loop), before / 1000);
	run_for(fixture, 1);
	assert_true(io_loop_now_us(fixture->loop) >= before + 2000);
}

/* More than the submission queue holds, before the loop has run for the first time. */
static void hundreds_of_objects_may_be_started_before_the_first_run(void **state)
{
	enum { COUNT = 400 };
	struct fixture *fixture = fixture_of(state);
	struct recorder *recorders = calloc(COUNT, sizeof(*recorders));
	int(*fds)[2] = calloc(COUNT, sizeof(*fds));

	assert_true(recorders && fds);
	for (int i = 0; i < COUNT; i++) {
		unix_pair(fds[i]);
		recorder_init(&recorders[i], fixture, fds[i][0]);
		io_stream_recv_start(&recorders[i].stream);
		assert_int_equal(write(fds[i][1], "x", 1), 1);
	}
	for (int i = 0; i < COUNT; i++)
		run_until(fixture, recorders[i].len == 1);
	for (int i = 0; i < COUNT; i++)
		io_stream_close(&recorders[i].stream, IO_CLOSE_FIN);
	for (int i = 0; i < COUNT; i++) {
		recorder_done(&recorders[i], fixture);
		close(fds[i][1]);
	}
	free(recorders);
	free(fds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(backends_have_the_names_of_the_configuration),
		cmocka_unit_test(auto_takes_io_uring_or_says_why_not),
		ON_BOTH(messages_of_each_thread_arrive_in_order),
		ON_BOTH(message_from_the_loop_itself_needs_no_wake_up),
		ON_BOTH(loops_wake_each_other),
		ON_BOTH(deferred_task_runs_once_at_the_end_of_the_round),
		ON_BOTH(what_has_come_is_told_before_a_timer_of_its_round),
		ON_BOTH(long_task_has_a_round_and_runs_behind_what_is_sent_in_it),
		ON_BOTH(long_task_is_told_that_something_has_come),
		ON_BOTH(clock_of_the_loop_stands_still_within_a_round),
		ON_BOTH(hundreds_of_objects_may_be_started_before_the_first_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
