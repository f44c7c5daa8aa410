// SPDX-License-Identifier: Apache-2.0
/* Work that may block, done by threads of its own. */
#include "io/offload.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
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

/* Under the lock. NULL: there is nothing more to do, ever. */
static struct io_job *take(struct io_offload *offload)
{
	struct io_job *job;

	while (!offload->first && !offload->is_ending) {
		offload->idle++;
		pthread_cond_wait(&offload->has_work, &offload->lock);
		offload->idle--;
	}
	job = offload->first;
	if (!job)
		return NULL;
	offload->first = job->next;
	if (!offload->first)
		offload->last = &offload->first;
	offload->waiting--;
	return job;
}

static void on_message(struct io_message *message)
{
	struct io_job *job = container_of(message, struct io_job, done);

	job->on_done(job);
}

static void *thread_main(void *context)
{
	struct io_offload *offload = context;
	struct io_job *job;

	pthread_mutex_lock(&offload->lock);
	while ((job = take(offload))) {
		pthread_mutex_unlock(&offload->lock);
		job->run(job);
		job->done.on_message = on_message;
		io_loop_post(job->loop, &job->done);
		pthread_mutex_lock(&offload->lock);
	}
	pthread_mutex_unlock(&offload->lock);
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
		*offload->last = job;
		offload->last = &job->next;
		offload->waiting++;
		pthread_cond_signal(&offload->has_work);
	}
	pthread_mutex_unlock(&offload->lock);
	return err;
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
