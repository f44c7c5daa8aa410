// SPDX-License-Identifier: Apache-2.0
/*
 * Which device has which of the programs. Links come from route.c, what a driver can do from
 * device_xdp.c; hook_tc.c and hook_xdp.c do it. A device with XDP has TC behind it, for what XDP
 * leaves, and for the SYNs that go out.
 */
#include "core/log.h"
#include "fastpath/fastpath_internal.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct link {
	struct link_facts facts;
	struct device_xdp xdp;
	bool has_tc, has_xdp;
	char why[SPLICE_WHY_SIZE]; /* it has no XDP, or nothing */
};

struct attach {
	struct attach_options options; /* but for the names */
	char **names;                  /* of devices that get programs; none: all do */
	size_t nnames;
	pthread_mutex_t lock; /* of the table: workers ask for links */
	struct link *links;
	size_t nlinks, nxdp;
	void (*on_sending)(bool all_send, void *context); /* or NULL */
	void *sending_context;
	bool all_send; /* as it was told */
};

/* The configuration that they come from may be replaced by the next one. */
static int copy_names(struct attach *attach, const struct attach_options *options)
{
	if (options->ninterfaces == 0)
		return 0;
	attach->names = calloc(options->ninterfaces, sizeof(*attach->names));
	if (!attach->names)
		return -ENOMEM;
	for (size_t i = 0; i < options->ninterfaces; i++) {
		attach->names[i] = strdup(options->interfaces[i]);
		if (!attach->names[i])
			return -ENOMEM;
		attach->nnames++;
	}
	return 0;
}

int attach_new(const struct attach_options *options, struct attach **ret)
{
	struct attach *attach = calloc(1, sizeof(*attach));

	if (!attach)
		return -ENOMEM;
	pthread_mutex_init(&attach->lock, NULL);
	attach->options = *options;
	if (copy_names(attach, options) < 0) {
		attach_leave(attach);
		return -ENOMEM;
	}
	*ret = attach;
	return 0;
}

/* --- One device ------------------------------------------------------------------------------- */

static bool is_wanted(const struct attach *attach, const char *name)
{
	for (size_t i = 0; i < attach->nnames; i++)
		if (strcmp(attach->names[i], name) == 0)
			return true;
	return attach->nnames == 0;
}

static const char *xdp_obstacle(const struct attach *attach, const struct link *link)
{
	if (!attach->options.xdp)
		return "the program for XDP is not loaded";
	if (link->facts.is_loopback)
		return "lo has no driver";
	return device_xdp_obstacle(&link->xdp, attach->options.hook);
}

/* Drivers before 6.3 that send for others do so at the latest with a program of their own. */
static void note_xdp(struct attach *attach, struct link *link)
{
	link->has_xdp = true;
	attach->nxdp++;
	device_xdp_query(link->facts.ifindex, &link->xdp);
	if (!link->xdp.is_told)
		link->xdp.can_send = strcmp(link->xdp.driver, "veth") != 0;
	link->why[0] = '\0';
	log_info("splice: device %s (%s): at XDP", link->facts.name, link->xdp.driver);
}

static void attach_xdp(struct attach *attach, struct link *link)
{
	const char *obstacle = xdp_obstacle(attach, link);
	uint32_t other = 0;
	int err;

	if (obstacle) {
		hook_xdp_detach(link->facts.ifindex, attach->options.pin); /* an earlier daemon's */
		snprintf(link->why, sizeof(link->why), "%s", obstacle);
		return;
	}
	err = hook_xdp_attach(link->facts.ifindex, attach->options.xdp, attach->options.pin,
			      &other);
	if (!err) {
		note_xdp(attach, link);
		return;
	}
	if (other)
		snprintf(link->why, sizeof(link->why),
			 "another's XDP program is attached (id %u) and stays", other);
	else
		snprintf(link->why, sizeof(link->why), "its driver (%s) refuses XDP: %s",
			 link->xdp.driver, strerror(-err));
	log_info("splice: device %s: at TC, not XDP: %s", link->facts.name, link->why);
}

static void attach_link(struct attach *attach, struct link *link)
{
	int err;

	if (!is_wanted(attach, link->facts.name)) {
		snprintf(link->why, sizeof(link->why), "acceleration.interfaces leaves it out");
		return;
	}
	err = hook_tc_attach(link->facts.ifindex, attach->options.ingress, attach->options.egress,
			     attach->options.pin);
	if (err) {
		snprintf(link->why, sizeof(link->why), "TC: %s", strerror(-err));
		log_info("splice: device %s stays without: %s", link->facts.name, strerror(-err));
		return;
	}
	link->has_tc = true;
	device_xdp_query(link->facts.ifindex, &link->xdp);
	attach_xdp(attach, link);
}

static void detach_link(const struct attach *attach, const struct link *link)
{
	if (link->has_xdp)
		hook_xdp_detach(link->facts.ifindex, attach->options.pin);
	if (link->has_tc)
		hook_tc_detach(link->facts.ifindex, attach->options.pin);
}

void attach_leave(struct attach *attach)
{
	if (!attach)
		return;
	for (size_t i = 0; i < attach->nnames; i++)
		free(attach->names[i]);
	pthread_mutex_destroy(&attach->lock);
	free(attach->names);
	free(attach->links);
	free(attach);
}

void attach_free(struct attach *attach)
{
	if (!attach)
		return;
	for (size_t i = 0; i < attach->nlinks; i++)
		detach_link(attach, &attach->links[i]);
	attach_leave(attach);
}

/* --- Whether all send ------------------------------------------------------------------------- */

static bool all_send(const struct attach *attach)
{
	for (size_t i = 0; i < attach->nlinks; i++) {
		const struct link *link = &attach->links[i];

		if (link->has_tc && !link->facts.is_loopback && !link->xdp.can_send)
			return false;
	}
	return attach->nxdp > 0;
}

/* After a change of the table. */
static void tell_sending(struct attach *attach)
{
	bool now = all_send(attach);

	if (!attach->on_sending || now == attach->all_send)
		return;
	attach->all_send = now;
	attach->on_sending(now, attach->sending_context);
}

void attach_watch_sending(struct attach *attach, void (*on_change)(bool all_send, void *context),
			  void *context)
{
	attach->on_sending = on_change;
	attach->sending_context = context;
	attach->all_send = all_send(attach);
	if (on_change)
		on_change(attach->all_send, context);
}

/* --- The table -------------------------------------------------------------------------------- */

static struct link *find(struct attach *attach, uint32_t ifindex)
{
	for (size_t i = 0; i < attach->nlinks; i++)
		if (attach->links[i].facts.ifindex == ifindex)
			return &attach->links[i];
	return NULL;
}

static void add(struct attach *attach, const struct link_facts *facts)
{
	struct link *links = realloc(attach->links, (attach->nlinks + 1) * sizeof(*links));

	if (!links)
		return;
	attach->links = links;
	links[attach->nlinks] = (struct link){.facts = *facts};
	attach_link(attach, &links[attach->nlinks++]);
}

/* By another name it may be wanted. */
static void renew(struct attach *attach, struct link *link, const struct link_facts *facts)
{
	bool is_renamed = strcmp(link->facts.name, facts->name) != 0;

	link->facts = *facts;
	if (is_renamed && !link->has_tc)
		attach_link(attach, link);
}

void attach_on_link(struct attach *attach, const struct link_facts *facts)
{
	struct link *link;

	pthread_mutex_lock(&attach->lock);
	link = find(attach, facts->ifindex);
	if (link)
		renew(attach, link, facts);
	else
		add(attach, facts);
	pthread_mutex_unlock(&attach->lock);
	tell_sending(attach);
}

void attach_on_link_gone(struct attach *attach, uint32_t ifindex)
{
	struct link *link;

	pthread_mutex_lock(&attach->lock);
	link = find(attach, ifindex);
	if (link) {
		attach->nxdp -= link->has_xdp;
		*link = attach->links[--attach->nlinks];
	}
	pthread_mutex_unlock(&attach->lock);
	tell_sending(attach);
}

void attach_on_xdp_change(struct attach *attach, uint32_t ifindex, const struct device_xdp *xdp)
{
	struct link *link;

	pthread_mutex_lock(&attach->lock);
	link = find(attach, ifindex);
	if (link) {
		link->xdp.is_told = xdp->is_told;
		link->xdp.can_redirect = xdp->can_redirect;
		link->xdp.can_send = xdp->can_send;
	}
	pthread_mutex_unlock(&attach->lock);
	tell_sending(attach);
}

bool attach_look(struct attach *attach, uint32_t ifindex, struct attached *ret)
{
	const struct link *link;
	bool has_tc;

	pthread_mutex_lock(&attach->lock);
	link = find(attach, ifindex);
	has_tc = link && link->has_tc;
	if (has_tc)
		*ret = (struct attached){
			.facts = link->facts,
			.has_xdp = link->has_xdp,
			.takes_xdp = attach->nxdp > 0 && link->xdp.can_send,
		};
	pthread_mutex_unlock(&attach->lock);
	return has_tc;
}

void attach_for_each(struct attach *attach,
		     void (*visit)(const struct splice_device *device, void *context),
		     void *context)
{
	pthread_mutex_lock(&attach->lock);
	for (size_t i = 0; i < attach->nlinks; i++) {
		const struct link *link = &attach->links[i];
		const struct splice_device device = {
			.name = link->facts.name,
			.driver = link->xdp.driver,
			.hook = link->has_xdp  ? "xdp"
				: link->has_tc ? "tc"
					       : "none",
			.why = link->why,
		};

		visit(&device, context);
	}
	pthread_mutex_unlock(&attach->lock);
}
