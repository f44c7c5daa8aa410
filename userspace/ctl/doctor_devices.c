// SPDX-License-Identifier: Apache-2.0
/* The doctor's look at programs and devices, and what follows for the rungs. */
#include "ctl/doctor_internal.h"
#include "fastpath/machine.h"

#include <errno.h>

static bool try_program(struct doctor *doctor, const char *name, int err)
{
	doctor_add(doctor,
		   &(struct doctor_finding){
			   err ? DOCTOR_MISSING : DOCTOR_OK, "programs", name,
			   err == -EPERM || err == -EACCES ? "see privileges"
			   : err ? "splice needs a kernel of 6.1 or later, with CONFIG_BPF_SYSCALL "
				   "and CONFIG_NET_CLS_BPF"
				 : NULL},
		   err ? "cannot be loaded: %s" : "can be loaded%s", err ? strerror(-err) : "");
	return !err;
}

void doctor_look_at_programs(struct doctor *doctor)
{
	bool has_sockmap = machine_has_sockmap();

	doctor->can_tc = try_program(doctor, "TC", machine_try_tc());
	doctor->can_xdp = try_program(doctor, "XDP", machine_try_xdp());
	doctor_add(doctor,
		   &(struct doctor_finding){has_sockmap ? DOCTOR_OK : DOCTOR_NOTE, "programs",
					    "sockmap", NULL},
		   has_sockmap ? "the kernel has it"
			       : "the kernel does not have it, or not for us");
}

static void add_hook(struct doctor *doctor, const struct machine_device *device)
{
	const char *driver = *device->driver ? device->driver : "no driver";
	bool is_foreign = device->xdp_id && !device->is_xdp_ours;
	bool takes_xdp = !device->xdp_obstacle && !is_foreign;

	doctor->ntc++;
	doctor->nxdp += takes_xdp;
	if (is_foreign)
		doctor_add(
			doctor,
			&(struct doctor_finding){DOCTOR_WARN, "device", device->name,
						 "ip link set DEVICE xdp off, if nobody needs it"},
			"%s: TC, since another's XDP program is attached (id %u)", driver,
			device->xdp_id);
	else
		doctor_add(doctor,
			   &(struct doctor_finding){DOCTOR_OK, "device", device->name, NULL},
			   "%s: %s%s%s%s", driver, takes_xdp ? "XDP" : "TC",
			   takes_xdp ? "" : ", since ", takes_xdp ? "" : device->xdp_obstacle,
			   takes_xdp && !device->can_send ? "; frames of XDP cannot be sent into it"
							  : "");
}

static void visit(const struct machine_device *device, void *context)
{
	struct doctor *doctor = context;

	add_hook(doctor, device);
	if (device->other_filters)
		doctor_add(doctor,
			   &(struct doctor_finding){DOCTOR_NOTE, "device", device->name, NULL},
			   "%u filters of others at TC ingress: they stay, and those with a "
			   "smaller priority than 197 run before ours",
			   device->other_filters);
	if (device->is_tc_ours)
		doctor_add(doctor,
			   &(struct doctor_finding){DOCTOR_OK, "device", device->name, NULL},
			   "programs of a sluiced are attached: TC%s",
			   device->is_xdp_ours ? " and XDP" : "");
}

void doctor_look_at_devices(struct doctor *doctor)
{
	machine_for_each_device(visit, doctor);
}

void doctor_look_at_rungs(struct doctor *doctor)
{
	bool has_xdp = doctor->can_tc && doctor->can_xdp && doctor->nxdp;

	doctor_add(doctor,
		   &(struct doctor_finding){has_xdp ? DOCTOR_OK : DOCTOR_NOTE, "rung", "splice-xdp",
					    has_xdp || !doctor->can_xdp
						    ? NULL
						    : "`hook: xdp` has every driver asked"},
		   "%u of %u devices", doctor->can_xdp && doctor->can_tc ? doctor->nxdp : 0,
		   doctor->ntc);
	doctor_add(doctor,
		   &(struct doctor_finding){doctor->can_tc ? DOCTOR_OK : DOCTOR_MISSING, "rung",
					    "splice-tc",
					    doctor->can_tc ? NULL : "see programs and privileges"},
		   doctor->can_tc ? "%u of %u devices" : "the programs cannot be loaded",
		   doctor->ntc, doctor->ntc);
	doctor_add(doctor, &(struct doctor_finding){DOCTOR_OK, "rung", "relay", NULL},
		   "always there");
}
