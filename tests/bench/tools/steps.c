// SPDX-License-Identifier: Apache-2.0
/*
 * How long the steps of hand-overs take in a running sluiced: probes at the functions that take
 * them, until standard input ends; then JSON, in microseconds. steps STEPS.bpf.o BINARY PID
 *
 * A probe is a trap into the kernel: each step seems longer by the better part of a microsecond or
 * two.
 */
#include "steps.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static const struct {
	const char *function, *text, *program;
} steps[] = {
#define X(name, function, text) [STEP_##name] = {#function, text, "on_" #function},
	STEPS(X)
#undef X
};

static void attach(struct bpf_object *object, const char *program, bool is_return, const char *path,
		   pid_t pid, const char *function)
{
	struct bpf_program *found = bpf_object__find_program_by_name(object, program);
	LIBBPF_OPTS(bpf_uprobe_opts, options, .func_name = function, .retprobe = is_return);

	if (!bpf_program__attach_uprobe_opts(found, pid, path, 0, &options))
		err(1, "%s: %s", path, function);
}

static int compare(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void read_samples(int fd, uint32_t step, uint32_t count, uint32_t *ret)
{
	for (uint32_t i = 0; i < count; i++) {
		uint32_t at = step * SAMPLES_MAX + i;

		if (bpf_map_lookup_elem(fd, &at, &ret[i]))
			err(1, "samples");
	}
	qsort(ret, count, sizeof(*ret), compare);
}

static double sum(const uint32_t *ns, uint32_t count)
{
	double total = 0;

	for (uint32_t i = 0; i < count; i++)
		total += ns[i];
	return total;
}

static void print_step(int counts, int samples, uint32_t step)
{
	static uint32_t ns[SAMPLES_MAX];
	uint32_t count;

	if (bpf_map_lookup_elem(counts, &step, &count))
		err(1, "counts");
	count = count < SAMPLES_MAX ? count : SAMPLES_MAX;
	read_samples(samples, step, count, ns);
	printf("%s\"%s\": {\"n\": %u", step ? ", " : "{", steps[step].text, count);
	if (count)
		printf(", \"p50\": %.2f, \"p99\": %.2f, \"mean\": %.2f", ns[count / 2] / 1e3,
		       ns[count - 1 - count / 100] / 1e3, sum(ns, count) / count / 1e3);
	printf("}");
}

static void wait_for_end_of_input(void)
{
	char buffer[64];

	printf("watching\n");
	fflush(stdout);
	while (read(STDIN_FILENO, buffer, sizeof(buffer)) > 0)
		;
}

int main(int argc, char **argv)
{
	struct bpf_object *object;
	int counts, samples;

	if (argc != 4)
		errx(2, "steps STEPS.bpf.o BINARY PID");
	object = bpf_object__open(argv[1]);
	if (!object || bpf_object__load(object))
		err(1, "%s", argv[1]);
	for (uint32_t i = 0; i < STEP_COUNT; i++) {
		attach(object, "on_begin", false, argv[2], atoi(argv[3]), steps[i].function);
		attach(object, steps[i].program, true, argv[2], atoi(argv[3]), steps[i].function);
	}
	wait_for_end_of_input();
	counts = bpf_object__find_map_fd_by_name(object, "counts");
	samples = bpf_object__find_map_fd_by_name(object, "samples");
	for (uint32_t i = 0; i < STEP_COUNT; i++)
		print_step(counts, samples, i);
	printf("}\n");
	return 0;
}
