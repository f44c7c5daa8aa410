#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# core/compiler.h knows of the sanitizers of both compilers: what is kept warm would hide their findings.
set -euo pipefail
cd "$(dirname "$0")/../.."
number=0

# sees MEMORY THREADS COMPILER [FLAG]: what a file that is compiled so takes them for.
sees() {
	local verdict=ok
	number=$((number + 1))
	printf '#include "core/compiler.h"\n_Static_assert(%s, "");\n' \
		"IS_WATCHED_FOR_MEMORY == $1 && IS_WATCHED_FOR_THREADS == $2" |
		"${@:3}" -Iinclude -fsyntax-only -x c - 2>/dev/null || verdict="not ok"
	echo "$verdict $number - ${*:3} is taken for memory: $1, threads: $2"
}

for compiler in gcc clang; do
	sees 0 0 "$compiler"
	sees 1 0 "$compiler" -fsanitize=address
	sees 0 1 "$compiler" -fsanitize=thread
done
echo "1..$number"
