// SPDX-License-Identifier: Apache-2.0
/* Giving up root while keeping single capabilities. */
#include "core/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAP_WORDS _LINUX_CAPABILITY_U32S_3

int privileges_lookup(const char *user, const char *group, struct privileges *ret)
{
	struct privileges found = {};
	const struct passwd *passwd = user ? getpwnam(user) : NULL;
	const struct group *entry = group ? getgrnam(group) : NULL;

	if ((user && !passwd) || (group && !entry))
		return -ENOENT;
	if (passwd) {
		found.has_user = found.has_group = true;
		found.uid = passwd->pw_uid;
		found.gid = passwd->pw_gid;
	}
	if (entry) {
		found.has_group = true;
		found.gid = entry->gr_gid;
	}
	*ret = found;
	return 0;
}

static int get_capabilities(struct __user_cap_data_struct data[CAP_WORDS])
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};

	return syscall(SYS_capget, &header, data) < 0 ? -errno : 0;
}

/* Permitted and effective become @kept as far as permitted; inheritable becomes empty. */
static int limit_capabilities(uint64_t kept)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[CAP_WORDS];
	int err = get_capabilities(data);

	if (err)
		return err;
	for (unsigned i = 0; i < CAP_WORDS; i++) {
		data[i].permitted &= (uint32_t)(kept >> (32 * i));
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

static int change_identity(const struct privileges *privileges)
{
	if (privileges->has_group &&
	    (setgroups(0, NULL) < 0 ||
	     setresgid(privileges->gid, privileges->gid, privileges->gid) < 0))
		return -errno;
	if (!privileges->has_user)
		return 0;
	/* Without this a change away from root drops every capability. */
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 ||
	    setresuid(privileges->uid, privileges->uid, privileges->uid) < 0)
		return -errno;
	return 0;
}

int privileges_drop(const struct privileges *privileges, uint64_t kept)
{
	int err = change_identity(privileges);

	if (err)
		return err;
	err = limit_capabilities(kept);
	if (err)
		return err;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

bool privileges_has(int cap)
{
	struct __user_cap_data_struct data[CAP_WORDS];

	if (cap < 0 || cap >= 32 * CAP_WORDS || get_capabilities(data) < 0)
		return false;
	return (data[cap / 32].effective >> (cap % 32)) & 1;
}
