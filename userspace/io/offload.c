// SPDX-License-Identifier: Apache-2.0
/* Work that would hold up a loop, done by threads of its own. */
#include "io/offload.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct io_offload {
	pthread_mutex_t lock;
	pthread_cond_t has_work;
	struct io_job *first, **last;
	uint32_t waiting, backlog;
	uint32_t idle, running, max; /* threads */
	bool is_ending;
	pthread_t threads[];
};

struct io_offload *io_offload_new(uint32_t threads, uint32_t backlog)
{
	struct io_offload *offload = calloc(1, sizeof(*offload) + threads * sizeof(pthread_t));

	if (!offload)
		return NULL;
	pthread_mutex_init(&offload->lock, NULL);
	pthread_cond_init(&offload->has_work, NULL);
	offload->last = &offload->first;
	offload->max = threads;
	offload->backlog = backlog;
	return offload;
}

/* Return: the next job; NULL: there is nothing more to do, ever. */
static struct io_job *take(struct io_offload *offload)
{
	struct io_job *job;

	pthread_mutex_lock(&offload->lock);
	while (!offload->first && !offload->is_ending) {
		offload->idle++;
		pthread_cond_wait(&offload->has_work, &offload->lock);
		offload->idle--;
	}
	job = offload->first;
	if (job) {
		offload->first = job->next;
		if (!offload->first)
			offload->last = &offload->first;
		offload->waiting--;
		job->state = IO_JOB_RUNNING;
	}
	pthread_mutex_unlock(&offload->lock);
	return job;
}

static void on_message(struct io_message *message)
{
	struct io_job *job = container_of(message, struct io_job, done);

	job->on_done(job);
}

/* Posted under the lock: the loop of a job that is cancelled may be gone. */
static void finish(struct io_offload *offload, struct io_job *job)
{
	bool is_cancelled;

	pthread_mutex_lock(&offload->lock);
	is_cancelled = job->is_cancelled;
	job->state = IO_JOB_DONE;
	job->done.on_message = on_message;
	if (!is_cancelled)
		io_loop_post(job->loop, &job->done);
	pthread_mutex_unlock(&offload->lock);
	if (is_cancelled)
		job->on_drop(job);
}

static void *thread_main(void *context)
{
	struct io_offload *offload = context;
	struct io_job *job;

	pthread_setname_np(pthread_self(), "offload");
	while ((job = take(offload))) {
		job->run(job);
		finish(offload, job);
	}
	return NULL;
}

/* Under the lock. Signals are the control thread's. */
static void start_thread(struct io_offload *offload)
{
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&offload->threads[offload->running], NULL, thread_main, offload) == 0)
		offload->running++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

int io_offload_submit(struct io_offload *offload, struct io_loop *loop, struct io_job *job)
{
	int err = 0;

	pthread_mutex_lock(&offload->lock);
	if (offload->idle <= offload->waiting && offload->running < offload->max)
		start_thread(offload);
	if (!offload->running)
		err = -EAGAIN;
	else if (offload->waiting >= offload->backlog)
		err = -EBUSY;
	if (!err) {
		job->loop = loop;
		job->next = NULL;
		job->state = IO_JOB_QUEUED;
		job->is_cancelled = false;
		*offload->last = job;
		offload->last = &job->next;
		offload->waiting++;
		pthread_cond_signal(&offload->has_work);
	}
	pthread_mutex_unlock(&offload->lock);
	return err;
}

static void unqueue(struct io_offload *offload, struct io_job *job)
{
	struct io_job **at = &offload->first;

	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	if (!*at)
		offload->last = at;
	offload->waiting--;
}

bool io_offload_cancel(struct io_offload *offload, struct io_job *job)
{
	enum io_job_state state;

	pthread_mutex_lock(&offload->lock);
	state = job->state;
	if (state == IO_JOB_QUEUED)
		unqueue(offload, job);
	job->is_cancelled = true;
	pthread_mutex_unlock(&offload->lock);
	if (state == IO_JOB_QUEUED)
		job->on_drop(job);
	return state != IO_JOB_DONE;
}

void io_offload_free(struct io_offload *offload)
{
	if (!offload)
		return;
	pthread_mutex_lock(&offload->lock);
	offload->is_ending = true;
	pthread_cond_broadcast(&offload->has_work);
	pthread_mutex_unlock(&offload->lock);
	for (uint32_t i = 0; i < offload->running; i++)
		pthread_join(offload->threads[i], NULL);
	pthread_cond_destroy(&offload->has_work);
	pthread_mutex_destroy(&offload->lock);
	free(offload);
}
