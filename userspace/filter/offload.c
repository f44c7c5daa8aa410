// SPDX-License-Identifier: Apache-2.0
/* A thread with a bounded queue, for what would hold up a worker. */
#include "filter/offload.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct offload {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t has_work;
	struct offload_job *first, **last;
	uint32_t count, limit;
	bool is_ending;
};

/* Return: the next job, RUNNING; NULL: it is over. */
static struct offload_job *take(struct offload *offload)
{
	struct offload_job *job = NULL;

	pthread_mutex_lock(&offload->lock);
	while (!offload->first && !offload->is_ending)
		pthread_cond_wait(&offload->has_work, &offload->lock);
	if (!offload->is_ending) {
		job = offload->first;
		offload->first = job->next;
		if (!offload->first)
			offload->last = &offload->first;
		offload->count--;
		job->state = OFFLOAD_RUNNING;
	}
	pthread_mutex_unlock(&offload->lock);
	return job;
}

/* Posted under the lock: a loop lives as long as what it has submitted is not cancelled. */
static void finish(struct offload *offload, struct offload_job *job)
{
	bool is_cancelled;

	pthread_mutex_lock(&offload->lock);
	is_cancelled = job->is_cancelled;
	job->state = OFFLOAD_DONE;
	if (!is_cancelled)
		io_loop_post(job->loop, &job->message);
	pthread_mutex_unlock(&offload->lock);
	if (is_cancelled)
		job->drop(job);
}

static void *thread_main(void *context)
{
	struct offload *offload = context;
	struct offload_job *job;

	pthread_setname_np(pthread_self(), "offload");
	while ((job = take(offload))) {
		job->run(job);
		finish(offload, job);
	}
	return NULL;
}

int offload_new(uint32_t limit, struct offload **ret)
{
	struct offload *offload = calloc(1, sizeof(*offload));
	int err;

	if (!offload)
		return -ENOMEM;
	offload->limit = limit;
	offload->last = &offload->first;
	pthread_mutex_init(&offload->lock, NULL);
	pthread_cond_init(&offload->has_work, NULL);
	err = -pthread_create(&offload->thread, NULL, thread_main, offload);
	if (err) {
		free(offload);
		return err;
	}
	*ret = offload;
	return 0;
}

void offload_free(struct offload *offload)
{
	if (!offload)
		return;
	pthread_mutex_lock(&offload->lock);
	offload->is_ending = true;
	pthread_cond_signal(&offload->has_work);
	pthread_mutex_unlock(&offload->lock);
	pthread_join(offload->thread, NULL);
	pthread_cond_destroy(&offload->has_work);
	pthread_mutex_destroy(&offload->lock);
	free(offload);
}

int offload_submit(struct offload *offload, struct offload_job *job)
{
	int err = 0;

	pthread_mutex_lock(&offload->lock);
	if (offload->count >= offload->limit) {
		err = -EBUSY;
	} else {
		job->next = NULL;
		job->state = OFFLOAD_QUEUED;
		*offload->last = job;
		offload->last = &job->next;
		offload->count++;
		pthread_cond_signal(&offload->has_work);
	}
	pthread_mutex_unlock(&offload->lock);
	return err;
}

static void unqueue(struct offload *offload, struct offload_job *job)
{
	struct offload_job **at = &offload->first;

	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	if (!*at)
		offload->last = at;
	offload->count--;
}

bool offload_cancel(struct offload *offload, struct offload_job *job)
{
	enum offload_state state;

	pthread_mutex_lock(&offload->lock);
	state = job->state;
	if (state == OFFLOAD_QUEUED)
		unqueue(offload, job);
	job->is_cancelled = true;
	pthread_mutex_unlock(&offload->lock);
	if (state == OFFLOAD_QUEUED)
		job->drop(job);
	return state != OFFLOAD_DONE;
}
