// SPDX-License-Identifier: Apache-2.0
/* What the control thread has done by a thread that may block. */
#include "proxy/errand.h"
#include "proxy/server_internal.h"

static void run(struct io_job *job)
{
	struct errand *errand = container_of(job, struct errand, job);

	errand->run(errand);
}

static void on_done(struct io_job *job)
{
	struct errand *errand = container_of(job, struct errand, job);

	errand->on_back(errand);
}

int errand_begin(struct errand *errand, struct server *server)
{
	errand->snapshot = snapshot_ref(server->snapshot);
	errand->job.run = run;
	errand->job.on_done = on_done;
	return io_offload_submit(server->shared.offload, server->loop, &errand->job);
}

void errand_end(struct errand *errand)
{
	struct snapshot *snapshot = errand->snapshot;

	errand->snapshot = NULL;
	if (snapshot)
		snapshot_unref(snapshot);
}
