// SPDX-License-Identifier: Apache-2.0
/* Finds files without waiting for the disk on a worker's thread. */
#include "proxy/file_lookup.h"

#include "core/scarcity.h"
#include "proxy/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* For so long a name is believed to lead to the same file. */
#define VALID_MS 1000

/* Outlives the lookup that wants it. */
struct file_job {
	struct io_job job;
	struct worker *worker;
	struct file_lookup *lookup; /* NULL: nobody waits any more */
	struct file_root *root;
	int err;
	struct file file;
	char name[];
};

/* A want of descriptors or memory says nothing of the name. */
static struct file_entry *remember(struct worker *worker, const struct file_root *root,
				   const char *name, int err, const struct file *file)
{
	uint64_t valid_ms = is_scarcity(err) ? 0 : VALID_MS;

	return file_cache_add(worker->files, root, name, err, file,
			      io_loop_now_ms(worker->loop) + valid_ms);
}

static void on_run(struct io_job *job)
{
	struct file_job *own = container_of(job, struct file_job, job);

	own->err = file_root_get(own->root, own->name, true, &own->file);
}

static void on_done(struct io_job *job)
{
	struct file_job *own = container_of(job, struct file_job, job);
	struct file_lookup *lookup = own->lookup;
	struct file_entry *entry = remember(own->worker, own->root, own->name, own->err,
					    &own->file);

	file_root_unref(own->root);
	free(own);
	if (!lookup) {
		file_entry_unref(entry);
		return;
	}
	lookup->job = NULL;
	lookup->on_found(lookup, entry);
}

static int start(struct file_lookup *lookup, struct worker *worker, struct file_root *root,
		 const char *name)
{
	size_t size = strlen(name) + 1;
	struct file_job *job = calloc(1, sizeof(*job) + size);
	int err;

	if (!job)
		return -ENOMEM;
	job->job.run = on_run;
	job->job.on_done = on_done;
	job->worker = worker;
	job->lookup = lookup;
	job->root = file_root_ref(root);
	memcpy(job->name, name, size);
	err = io_offload_submit(worker->shared->offload, worker->loop, &job->job);
	if (err) {
		file_root_unref(root);
		free(job);
		return -EBUSY;
	}
	lookup->job = job;
	return -EINPROGRESS;
}

int file_lookup(struct file_lookup *lookup, struct worker *worker, struct file_root *root,
		const char *name, struct file_entry **ret)
{
	uint64_t now_ms = io_loop_now_ms(worker->loop);
	struct file_entry *entry = file_cache_find(worker->files, root, name, now_ms);
	struct file file;
	int err;

	if (!entry) {
		err = file_root_get(root, name, false, &file);
		if (err == -EAGAIN)
			return start(lookup, worker, root, name);
		entry = remember(worker, root, name, err, &file);
	}
	if (!entry)
		return -ENOMEM;
	*ret = entry;
	return 0;
}

void file_lookup_cancel(struct file_lookup *lookup)
{
	if (lookup->job)
		lookup->job->lookup = NULL;
	lookup->job = NULL;
}
