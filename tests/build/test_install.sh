#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What `make install` copies works from where it stands, names the places it was told, and goes again.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
unset MAKEFLAGS MAKELEVEL VARIANT
number=0

claim() {
	number=$((number + 1))
	if "${@:2}" >/dev/null 2>&1; then echo "ok $number - $1"; else echo "not ok $number - $1"; fi
}

install_to() {
	make --no-print-directory -s DESTDIR="$root" "$@" >/dev/null
}

names() {
	grep -qxF "$2" "$root$1"
}

leaves_only_configuration() {
	[ "$(cd "$root" && find . -type f)" = "$1" ]
}

install_to PREFIX=/usr install
claim "the daemon runs" "$root/usr/sbin/sluiced" --version
claim "the control program runs" "$root/usr/bin/sluicectl" --version
claim "the daemon takes the sample" "$root/usr/sbin/sluiced" --check -c "$root/etc/sluice/sluice.yaml.sample"
claim "the unit starts the daemon on its configuration" \
	names /usr/lib/systemd/system/sluice.service "ExecStart=/usr/sbin/sluiced -c /etc/sluice/sluice.yaml"
for page in sluiced.8 sluicectl.1 sluice.yaml.5; do
	claim "$page is there" test -s "$root/usr/share/man/man${page##*.}/$page"
done
claim "both programs complete in bash" test -s "$root/usr/share/bash-completion/completions/sluiced"
touch "$root/etc/sluice/sluice.yaml"
install_to PREFIX=/usr uninstall
claim "what was installed goes, and the configuration stays" leaves_only_configuration ./etc/sluice/sluice.yaml

install_to PREFIX=/opt/sluice install
claim "under a prefix the unit looks for its configuration there" names \
	/opt/sluice/lib/systemd/system/sluice.service \
	"ExecStart=/opt/sluice/sbin/sluiced -c /opt/sluice/etc/sluice/sluice.yaml"
