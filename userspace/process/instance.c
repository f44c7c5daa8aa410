// SPDX-License-Identifier: Apache-2.0
/* The instance: which of a machine's daemons we are, by the directory that we alone have. */
#include "process/instance.h"
#include "core/log.h"
#include "core/privileges.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Root's directory is the user's from now on, who cannot make one. A name that is unknown is told
 * of later. */
static int claim_for_user(const struct config *config, const char *directory, struct pin **ret)
{
	struct privileges user = {};

	if (geteuid() != 0 || privileges_lookup(config->user, config->group, &user) < 0)
		user = (struct privileges){};
	return pin_open(directory, user.has_user ? user.uid : (uid_t)-1,
			user.has_group ? user.gid : (gid_t)-1, ret);
}

int instance_claim(const struct config *config, struct pin **ret)
{
	const struct config_acceleration *acceleration = &config->acceleration;
	char directory[PATH_MAX];
	int err;

	*ret = NULL;
	if (!acceleration->pin_path)
		return 0;
	snprintf(directory, sizeof(directory), "%s/%s", acceleration->pin_path,
		 acceleration->instance);
	if (acceleration->mode != CONFIG_SPLICE && !config_has_dispatch(config)) {
		if (pin_is_abandoned(directory))
			log_warn("%s: an earlier daemon's connections and services go on in the "
				 "kernel, and nobody sees to them: 'sluicectl flows --discard' "
				 "ends them",
				 directory);
		return 0;
	}
	err = claim_for_user(config, directory, ret);
	if (err == -EBUSY) {
		log_error("%s: another sluiced is the instance \"%s\": stop it, or give this one "
			  "a name of its own with acceleration.instance",
			  config->path, acceleration->instance);
		return err;
	}
	if (err)
		log_warn(
			"acceleration: what the packet programs carry ends with the daemon: %s: %s",
			directory,
			err == -ENODEV ? "not in a BPF file system: `mount -t bpf bpf "
					 "/sys/fs/bpf` makes one"
				       : strerror(-err));
	return 0;
}
