#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What scripts/pytest-tap makes of lines as pytest prints them: names are whole, for failed tests are
# asked for by them again.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
number=0

# becomes FACT LINE EXPECTED: the one TAP line that LINE becomes, or none.
becomes() {
	local told
	number=$((number + 1))
	told=$(scripts/pytest-tap <<<"$2" | tail -n +2)
	if [ "$told" = "$3" ]; then
		echo "ok $number - $1"
	else
		echo "not ok $number - $1: '$told'"
	fi
}

becomes "a test that passed" 'e2e/test_a.py::test_b PASSED   [  5%]' 'ok - e2e/test_a.py::test_b'
becomes "the last test of all" 'e2e/test_a.py::test_b FAILED [100%]' 'not ok - e2e/test_a.py::test_b'
becomes "a name with spaces" 'e2e/test_a.py::test_b[204 No Content] FAILED [ 50%]' \
	'not ok - e2e/test_a.py::test_b[204 No Content]'
becomes "a skip with its reason" 'e2e/test_a.py::test_b[x y] SKIPPED (no PASSED) [ 50%]' \
	'ok # SKIP e2e/test_a.py::test_b[x y]'
becomes "a test beside others" '[gw1] [  5%] PASSED e2e/test_a.py::test_b' 'ok - e2e/test_a.py::test_b'
becomes "a name with spaces, beside others" \
	"[gw0] [ 99%] FAILED e2e/test_a.py::test_b[epoll-the kernel's cookies]" \
	"not ok - e2e/test_a.py::test_b[epoll-the kernel's cookies]"
becomes "a fixture that failed" '[gw0] [ 99%] ERROR e2e/test_a.py::test_b ' 'not ok - e2e/test_a.py::test_b'
becomes "what a test printed" 'sluiced ERROR nothing' ''
becomes "what a test printed of a name" 'a::b ERROR nothing' ''
