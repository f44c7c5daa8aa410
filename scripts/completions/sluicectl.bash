# SPDX-License-Identifier: Apache-2.0
# Completion for sluicectl and sluiced in bash.

# The daemon's names of one kind ("pools" or "listeners"), or the endpoints of pool $2. The JSON is
# indented by two blanks a level, which tells a pool's name from an endpoint's.
_sluice_names() {
	sluicectl --timeout 1s --json "$1" 2>/dev/null | awk -v pool="${2-}" '
		/^      "name": / { gsub(/.*: "|",?$/, ""); name = $0; if (pool == "") print }
		/^          "address": / { gsub(/.*: "|",?$/, ""); if (name == pool) print }'
}

# Addresses and names have colons, at which bash would break words.
_sluice_reply() {
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
	if declare -F __ltrim_colon_completions >/dev/null; then
		__ltrim_colon_completions "$2"
	fi
}

_sluicectl() {
	local cur prev words cword
	local commands="status listeners pools services connections endpoint reload top metrics doctor version flows guard capture geo"
	local options="--socket --json --no-color --timeout --help --version"

	if declare -F _get_comp_words_by_ref >/dev/null; then
		_get_comp_words_by_ref -n : cur prev words cword
	else
		cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
		words=("${COMP_WORDS[@]}") cword=$COMP_CWORD
	fi
	case $prev in
	-s | --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
	--listener) _sluice_reply "$(_sluice_names listeners)" "$cur"; return ;;
	--pool) _sluice_reply "$(_sluice_names pools)" "$cur"; return ;;
	--state)
		_sluice_reply "proxy_header client_hello tls_handshake queued connecting http relay closing" "$cur"
		return ;;
	--instance)
		_sluice_reply "$(ls /sys/fs/bpf/sluice 2>/dev/null)" "$cur"
		return ;;
	--pin-path) mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
	--output) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
	--timeout | --limit | --endpoint | --snapshots | --seconds | -n) return ;;
	esac

	# The words that are neither options nor their values.
	local plain=() i
	for ((i = 1; i < cword; i++)); do
		case ${words[i]} in
		-s | --socket | --timeout | -n | --snapshots | --limit | --listener | --pool | \
			--endpoint | --state | --instance | --pin-path | --seconds | --output) ((i++)) ;;
		-*) ;;
		*) plain+=("${words[i]}") ;;
		esac
	done
	if [[ $cur == -* ]]; then
		case ${plain[0]-} in
		connections) options+=" --listener --pool --endpoint --state --limit" ;;
		top) options+=" --snapshots" ;;
		capture) options+=" --seconds --limit --output" ;;
		flows) options+=" --instance --pin-path --verdicts --discard" ;;
		esac
		_sluice_reply "$options" "$cur"
	elif ((${#plain[@]} == 0)); then
		_sluice_reply "$commands" "$cur"
	elif [[ ${plain[0]} == guard ]]; then
		case ${#plain[@]},${plain[1]-} in
		1,*) _sluice_reply "status list talkers block allow ban unblock mode reload" "$cur" ;;
		2,mode) _sluice_reply "off monitor enforce" "$cur" ;;
		3,block | 3,allow | 3,ban) _sluice_reply "for" "$cur" ;;
		esac
	elif [[ ${plain[0]} == top ]]; then
		((${#plain[@]} == 1)) &&
			_sluice_reply "pools listeners connections services guard" "$cur"
	elif [[ ${plain[0]} == endpoint ]]; then
		case ${#plain[@]} in
		1) _sluice_reply "$(_sluice_names pools)" "$cur" ;;
		2) _sluice_reply "$(_sluice_names pools "${plain[1]}")" "$cur" ;;
		3) _sluice_reply "ready drain maint weight" "$cur" ;;
		esac
	fi
}

_sluiced() {
	local cur=${COMP_WORDS[COMP_CWORD]}

	if [[ $cur == -* ]]; then
		_sluice_reply \
			"--config --check --schema --reference --demo --quiet --verbose --version --help" \
			"$cur"
	else
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	fi
}

complete -F _sluicectl sluicectl
complete -o filenames -F _sluiced sluiced
