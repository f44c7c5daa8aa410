// SPDX-License-Identifier: Apache-2.0
/* The doctor's look at kernel, privileges, limits and sysctls. */
#include "core/privileges.h"
#include "ctl/doctor_internal.h"
#include "fastpath/reuseport.h"
#include "io/loop.h"
#include "tls/kernel.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#define BPFFS_PATH      "/sys/fs/bpf"
#define BTF_PATH        "/sys/kernel/btf/vmlinux"
#define DESCRIPTORS_MIN 65536

/* --- Kernel -------------------------------------------------------------------------------------
 */

static void look_at_version(struct doctor *doctor)
{
	struct utsname name;

	if (uname(&name) < 0)
		return;
	doctor_add(doctor, &(struct doctor_finding){DOCTOR_OK, "kernel", "version", NULL}, "%s %s",
		   name.sysname, name.release);
}

static void look_at_btf(struct doctor *doctor)
{
	bool has_btf = access(BTF_PATH, R_OK) == 0;

	doctor_add(
		doctor,
		&(struct doctor_finding){has_btf ? DOCTOR_OK : DOCTOR_NOTE, "kernel", "BTF", NULL},
		has_btf ? BTF_PATH : "no " BTF_PATH ": tools can tell less of the programs");
}

/* With a user namespace's root, capabilities are not what they seem: the programs are tried too. */
static void look_at_capabilities(struct doctor *doctor)
{
	static const struct {
		int number;
		const char *name, *what;
	} needed[] = {
		{CAP_NET_ADMIN, "CAP_NET_ADMIN", "to attach programs and freeze sockets"},
		{CAP_BPF, "CAP_BPF", "to load programs"},
		{CAP_PERFMON, "CAP_PERFMON", "for programs that read packets"},
		{CAP_NET_RAW, "CAP_NET_RAW", "for resets in another's name"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		bool has = privileges_has(needed[i].number);

		doctor_add(doctor,
			   &(struct doctor_finding){
				   has ? DOCTOR_OK : DOCTOR_MISSING, "privileges", needed[i].name,
				   has ? NULL
				       : "start as root, or see AmbientCapabilities= in "
					 "systemd.exec(5)"},
			   "%s%s", has ? "" : "not in force: it is needed ", needed[i].what);
	}
}

static void look_at_bpffs(struct doctor *doctor)
{
	struct statfs facts;
	bool is_bpffs = statfs(BPFFS_PATH, &facts) == 0 && facts.f_type == BPF_FS_MAGIC;

	doctor_add(doctor,
		   &(struct doctor_finding){is_bpffs ? DOCTOR_OK : DOCTOR_WARN, "kernel", "bpffs",
					    is_bpffs ? NULL : "mount -t bpf bpf " BPFFS_PATH},
		   is_bpffs ? BPFFS_PATH
			    : "not mounted: connections in the kernel end with the daemon");
}

static void look_at_engine(struct doctor *doctor)
{
	const struct io_options options = {.backend = IO_BACKEND_URING};
	struct io_loop *loop = NULL;
	int err = io_loop_new(&options, &loop);

	doctor_add(doctor,
		   &(struct doctor_finding){err ? DOCTOR_WARN : DOCTOR_OK, "kernel", "io_uring",
					    err ? "see kernel.io_uring_disabled, and what seccomp "
						  "forbids"
						: NULL},
		   err ? "not usable, epoll instead: %s" : "the relay can use it%s",
		   err ? strerror(-err) : "");
	io_loop_free(loop);
}

static void look_at_reuseport(struct doctor *doctor)
{
	struct reuseport_loads *loads = NULL;
	int err = reuseport_loads_new(1, &loads);

	doctor_add(doctor,
		   &(struct doctor_finding){err ? DOCTOR_NOTE : DOCTOR_OK, "kernel", "reuseport",
					    NULL},
		   err ? "connections are spread over workers by hash: %s"
		       : "connections are spread over workers by load%s",
		   err ? strerror(-err) : "");
	reuseport_loads_free(loads);
}

static void look_at_tls(struct doctor *doctor)
{
	struct tls_kernel_abilities tls;
	char ciphers[128] = "";
	size_t len = 0;

	tls_kernel_probe(&tls);
	for (unsigned i = 0; i < TLS_KERNEL_CIPHER_COUNT; i++)
		if (tls.has[i])
			len += (size_t)snprintf(ciphers + len, sizeof(ciphers) - len, "%s%s",
						len ? ", " : "",
						tls_kernel_cipher_name((enum tls_kernel_cipher)i));
	if (tls.error || !len)
		doctor_add(doctor,
			   &(struct doctor_finding){DOCTOR_NOTE, "kernel", "TLS",
						    tls.error == -ENOENT ? "modprobe tls" : NULL},
			   "not usable, files are encrypted in user space: %s",
			   tls.error ? strerror(-tls.error) : "none of its ciphers is ours");
	else
		doctor_add(doctor, &(struct doctor_finding){DOCTOR_OK, "kernel", "TLS", NULL},
			   "files can be encrypted by it: %s%s", ciphers,
			   tls.can_update ? ""
					  : "; a client that wants new keys is let go after "
					    "its answer");
}

void doctor_look_at_kernel(struct doctor *doctor)
{
	look_at_version(doctor);
	look_at_btf(doctor);
	look_at_bpffs(doctor);
	look_at_engine(doctor);
	look_at_reuseport(doctor);
	look_at_tls(doctor);
	look_at_capabilities(doctor);
}

/* --- Sysctls ------------------------------------------------------------------------------------
 */

/* What is below @enough gets @level. */
static const struct sysctl {
	const char *name, *path;
	long enough;
	enum doctor_level level;
	const char *good, *bad, *advice;
} sysctls[] = {
	{"net.core.bpf_jit_enable", "/proc/sys/net/core/bpf_jit_enable", 1, DOCTOR_WARN,
	 "programs are compiled", "programs are interpreted, several times slower",
	 "sysctl net.core.bpf_jit_enable=1"},
	{"net.ipv4.tcp_timestamps", "/proc/sys/net/ipv4/tcp_timestamps", 1, DOCTOR_NOTE,
	 "connections have timestamps where the client has",
	 "no connection has timestamps: round trips are measured worse",
	 "sysctl net.ipv4.tcp_timestamps=1"},
	{"net.core.somaxconn", "/proc/sys/net/core/somaxconn", 4096, DOCTOR_NOTE,
	 "enough for bursts", "bursts of connections may find the backlog full",
	 "sysctl net.core.somaxconn=4096"},
	{"net.ipv4.ip_forward", "/proc/sys/net/ipv4/ip_forward", 0, DOCTOR_OK,
	 "spliced packets do not pass it; answers of endpoints of dnat need it", NULL, NULL},
	{"net.ipv4.conf.all.rp_filter", "/proc/sys/net/ipv4/conf/all/rp_filter", 0, DOCTOR_OK,
	 "does not see spliced packets", NULL, NULL},
};

static void judge(struct doctor *doctor, const struct sysctl *sysctl, const char *value)
{
	bool is_enough = strtol(value, NULL, 10) >= sysctl->enough;

	doctor_add(doctor,
		   &(struct doctor_finding){is_enough ? DOCTOR_OK : sysctl->level, "sysctl",
					    sysctl->name, is_enough ? NULL : sysctl->advice},
		   "%s: %s", value, is_enough ? sysctl->good : sysctl->bad);
}

#define PORTS_NAME   "net.ipv4.ip_local_port_range"
#define PORTS_ENOUGH 16384

static void judge_ports(struct doctor *doctor, const char *value)
{
	char *end;
	long first = strtol(value, &end, 10), last = strtol(end, NULL, 10);
	bool is_enough = last - first >= PORTS_ENOUGH;

	doctor_add(
		doctor,
		&(struct doctor_finding){is_enough ? DOCTOR_OK : DOCTOR_NOTE, "sysctl", PORTS_NAME,
					 is_enough ? NULL : "sysctl " PORTS_NAME "='10240 65000'"},
		"%ld connections to an endpoint at once, those in the kernel included",
		last - first + 1);
}

bool doctor_judge_sysctl(struct doctor *doctor, const char *name, const char *value)
{
	if (strcmp(name, PORTS_NAME) == 0) {
		judge_ports(doctor, value);
		return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(sysctls); i++)
		if (strcmp(sysctls[i].name, name) == 0) {
			judge(doctor, &sysctls[i], value);
			return true;
		}
	return false;
}

static void look_at_sysctl(struct doctor *doctor, const char *name, const char *path)
{
	char value[64] = "";
	FILE *file = fopen(path, "re");

	if (!file)
		return;
	if (fgets(value, sizeof(value), file)) {
		value[strcspn(value, "\n")] = '\0';
		(void)doctor_judge_sysctl(doctor, name, value);
	}
	fclose(file);
}

/* --- Limits -------------------------------------------------------------------------------------
 */

void doctor_look_at_limits(struct doctor *doctor)
{
	struct rlimit limit;
	bool is_enough;

	for (size_t i = 0; i < ARRAY_SIZE(sysctls); i++)
		look_at_sysctl(doctor, sysctls[i].name, sysctls[i].path);
	look_at_sysctl(doctor, PORTS_NAME, "/proc/sys/net/ipv4/ip_local_port_range");
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	is_enough = limit.rlim_max >= DESCRIPTORS_MIN;
	doctor_add(doctor,
		   &(struct doctor_finding){
			   is_enough ? DOCTOR_OK : DOCTOR_NOTE, "limits", "open files",
			   is_enough ? NULL : "LimitNOFILE= in the unit, ulimit -Hn"},
		   "%llu here: two for each connection; the daemon's own limit may differ",
		   (unsigned long long)limit.rlim_max);
	doctor_add(doctor, &(struct doctor_finding){DOCTOR_OK, "limits", "locked memory", NULL},
		   "does not matter: kernels from 5.12 on count maps and rings otherwise");
}
