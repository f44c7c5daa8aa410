/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_BPF_INGRESS_OBJECT_H
#define TESTS_BPF_INGRESS_OBJECT_H

/* The program of one of the ingress hooks, whichever its skeleton is of. */
#include <bpf/libbpf.h>
#include <stddef.h>

struct ingress_program {
	const void *(*elf_bytes)(size_t *ret_size); /* of the skeleton */
	const char *name;
	struct bpf_object *object; /* once it is open */
};

/* Return: 0; -1. */
static inline int ingress_open(struct ingress_program *program)
{
	size_t size;
	const void *bytes = program->elf_bytes(&size);

	program->object = bpf_object__open_mem(bytes, size, NULL);
	return program->object ? 0 : -1;
}

/* Return: the program's descriptor; -1. */
static inline int ingress_load(struct ingress_program *program)
{
	if (bpf_object__load(program->object))
		return -1;
	return bpf_program__fd(bpf_object__find_program_by_name(program->object, program->name));
}

#endif
