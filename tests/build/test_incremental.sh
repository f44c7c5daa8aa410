#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A change rebuilds what depends on it, and nothing else. Works in a copy of the parts of the tree that
# the fastpath room needs, so that it is quick and leaves the tree alone.
set -euo pipefail
cd "$(dirname "$0")/../.."
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
cp -r --parents Makefile include bpf userspace/core userspace/fastpath "$tree"
cd "$tree"
unset MAKEFLAGS MAKELEVEL VARIANT BUILD
number=0

goals=(build/release/fastpath.a build/release/core.a)
build() {
	make --no-print-directory "$@" "${goals[@]}"
}

# What a build would do: the files that it names, one a line.
rebuilt() {
	build "$@" | awk '$1 ~ /^(CC|BPF|SKEL)$/ {print $2}' | sort
}

verdict() {
	number=$((number + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $number - $1"
	else
		printf 'not ok %d - %s\n# expected: %s\n# got: %s\n' "$number" "$1" "$3" "$2"
	fi
}

# Time stamps tell builds apart by their full resolution; a build takes far longer.
edit() {
	echo "/* edited */" >>"$1"
}

is_up_to_date() {
	if build -q >/dev/null; then echo yes; else echo no; fi
}

build >/dev/null
verdict "a second build does nothing" "$(rebuilt)" ""
verdict "make -q agrees" "$(is_up_to_date)" yes

edit include/fastpath/reuseport.h
verdict "a header rebuilds its users alone" "$(rebuilt)" build/release/fastpath/reuseport.o

edit include/abi/reuseport.h
verdict "a shared header rebuilds BPF object, skeleton and user" "$(rebuilt | tr '\n' ' ')" \
	"build/bpf/reuseport.bpf.o build/gen/reuseport.skel.h build/release/fastpath/reuseport.o "

edit userspace/core/hash.c
verdict "a source rebuilds its object alone" "$(rebuilt)" build/release/core/hash.o

for variant in asan tsan; do
	build VARIANT=$variant "build/$variant/core.a" >/dev/null
	verdict "a second build of $variant does nothing" "$(rebuilt VARIANT=$variant "build/$variant/core.a")" ""
done

everything=$(find userspace -name '*.c' | sed 's|^userspace/|build/release/|; s|c$|o|' | sort)
verdict "other flags rebuild every object" "$(rebuilt CFLAGS=-DOTHER)" "$everything"
verdict "the same flags again do nothing" "$(rebuilt CFLAGS=-DOTHER)" ""

rm userspace/core/hash.c
build CFLAGS=-DOTHER >/dev/null
verdict "a source that went leaves the archive" "$(ar t build/release/core.a | grep -c '^hash.o' || true)" 0

rm include/fastpath/reuseport.h
sed -i '/fastpath\/reuseport.h/d' userspace/fastpath/reuseport.c
if build -k CFLAGS=-DOTHER 2>&1 | grep -q 'No rule to make target'; then gone=stuck; else gone=fine; fi
verdict "a header that went does not block the build" "$gone" fine
echo "1..$number"
