#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What bash is offered while a command line of sluicectl or sluiced is typed. A function stands in for
# sluicectl and shows one pool.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
# shellcheck source=/dev/null
. scripts/completions/sluicectl.bash
number=0

sluicectl() {
	cat <<-'JSON'
		{
		  "pools": [
		    {
		      "name": "app",
		      "endpoints": [
		        {
		          "name": "b.internal:80",
		          "address": "10.0.0.2:80"
		        }
		      ]
		    },
		    {
		      "name": "other",
		      "endpoints": [
		        {
		          "address": "unix:/run/x"
		        }
		      ]
		    }
		  ]
		}
	JSON
}

# offers FACT EXPECTED WORD... : the last word is the one being typed.
offers() {
	number=$((number + 1))
	COMP_WORDS=("${@:3}") COMP_CWORD=$(($# - 3)) COMPREPLY=()
	"_$3"
	if [ "${COMPREPLY[*]}" = "$2" ]; then
		echo "ok $number - $1"
	else
		printf 'not ok %d - %s\n# expected: %s\n# got: %s\n' "$number" "$1" "$2" "${COMPREPLY[*]}"
	fi
}

offers "commands come first" "status listeners pools services connections endpoint reload top metrics doctor version flows guard capture geo" \
	sluicectl ""
offers "options and their values are no commands" "pools" sluicectl --json -s /tmp/x po
offers "pools come from the daemon" "app other" sluicectl endpoint ""
offers "endpoints are those of the pool" "10.0.0.2:80" sluicectl endpoint app ""
offers "actions follow an endpoint" "drain" sluicectl endpoint app 10.0.0.2:80 d
offers "filters belong to connections" "--listener --limit" sluicectl connections --l
offers "filters belong to nothing else" "" sluicectl pools --l
offers "flows have options of their own" "--version --verdicts" sluicectl flows --ver
offers "states are known" "client_hello connecting closing" sluicectl connections --state c
offers "sluiced has its options" "--schema" sluiced --s
echo "1..$number"
