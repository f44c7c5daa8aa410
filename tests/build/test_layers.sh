#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# scripts/check-layers must pass the smallest tree that is right, and name each wrong line that is put in.
set -euo pipefail
cd "$(dirname "$0")/../.."
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
number=0

user='/* SPDX-License-Identifier: Apache-2.0 */'
kernel='/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */'

# put FILE LINE...: a file under $tree with these lines.
put() {
	mkdir -p "$tree/$(dirname "$1")"
	printf '%s\n' "${@:2}" >"$tree/$1"
}

good_tree() {
	rm -rf "${tree:?}"/*
	put include/io/loop.h "$user" '#include "core/list.h"' 'struct io_loop;'
	put userspace/io/loop.c "$user" '#include "io/io_internal.h"' '#include <liburing.h>'
	put userspace/main.c "$user" '#include "admin/admin.h"'
	put include/abi/flow.h "$kernel" '#include <linux/types.h>' 'struct flow;'
	put bpf/x.bpf.c "$kernel" '#include "abi/flow.h"' '#include <bpf/bpf_helpers.h>'
}

verdict() {
	number=$((number + 1))
	echo "$1 $number - $2"
}

# rejects FACT EXPECTED FILE LINE...: the good tree and this file must fail with EXPECTED.
rejects() {
	good_tree
	put "${@:3}"
	local out
	if out=$(scripts/check-layers "$tree"); then
		verdict "not ok" "$1 (passed)"
	elif grep -qF -- "$2" <<<"$out"; then
		verdict ok "$1"
	else
		verdict "not ok" "$1 (said: $out)"
	fi
}

good_tree
if scripts/check-layers "$tree" >/dev/null; then
	verdict ok "a tree that keeps to its layers passes"
else
	verdict "not ok" "a tree that keeps to its layers passes"
fi
rejects "an include upward fails" "userspace/io/a.c:2: net/socket.h: is not of a lower tier" \
	userspace/io/a.c "$user" '#include "net/socket.h"'
rejects "an include of a sister room fails" "is not of a lower tier" \
	include/config/a.h "$user" '#include "metrics/counter.h"' 'int x;'
rejects "a room's private header is not for others" "is private to io/" \
	userspace/proxy/a.c "$user" '#include "io/io_internal.h"'
rejects "OpenSSL stops at tls/" "belongs to tls/ alone" \
	userspace/upstream/a.c "$user" '#include <openssl/ssl.h>'
rejects "libbpf stops at fastpath/" "belongs to fastpath/ alone" \
	userspace/proxy/a.c "$user" '#include <bpf/libbpf.h>'
rejects "liburing stops at io/" "belongs to io/ alone" \
	userspace/net/a.c "$user" '#include <liburing.h>'
rejects "an unknown room fails" "names no room" \
	userspace/io/a.c "$user" '#include "misc/a.h"'
rejects "a header without its room fails" "is not written as room/module.h" \
	userspace/io/a.c "$user" '#include "loop.h"'
rejects "the kernel side does not see user space" "the kernel side includes only" \
	bpf/y.bpf.c "$kernel" '#include "core/list.h"'
rejects "a file without a licence line fails" "first line must hold" \
	userspace/io/a.c 'int x;'
rejects "the kernel side has its own licence" "GPL-2.0-only OR BSD-2-Clause" \
	bpf/y.bpf.c "$user"
rejects "an umbrella header fails" "umbrella header" \
	include/io/io.h "$user" '#ifndef A' '#define A' '#include "io/loop.h"' '#endif'
echo "1..$number"
