#!/bin/sh
# The main job: three emulated drives up (or TARGETS="name=/path …"), the suite `quick`, the report, drives down.
set -uf
bin=${BIN:?the folder that holds iobench}
results=${IOBENCH_RESULTS:-results}
as_root=
[ "$(id -u)" = 0 ] || [ -n "${TARGETS:-}" ] || ! command -v sudo >/dev/null 2>&1 || if sudo -n true 2>/dev/null; then
    as_root=sudo
elif [ -t 0 ]; then
    echo "emulated drives are made as root: sudo asks for your password"
    sudo -v && as_root=sudo
fi
made=

names() {
    "$bin/iobench" lab list --targets 2>/dev/null | sed 's/=.*//'
}

down() {
    trap '' INT TERM HUP # a second Ctrl-C must not leave half of them up
    # Only what this run made: drives that were up before are the user's.
    # shellcheck disable=SC2086
    [ -z "$made" ] || $as_root "$bin/iobench" lab down $made >/dev/null || echo "iobench lab down did not end well" >&2
    made=
    # What root wrote for us is to be ours.
    [ -z "$as_root" ] || [ ! -d "$results" ] || sudo chown -R "$(id -u):$(id -g)" "$results"
}
trap down EXIT
trap 'exit 130' INT TERM HUP

set --
if [ -n "${TARGETS:-}" ]; then
    as_root=
    for target in $TARGETS; do set -- "$@" -t "$target"; done
elif { [ "$(id -u)" = 0 ] || [ -n "$as_root" ]; } && [ -e /dev/loop-control ]; then
    before=$(names)
    if $as_root "$bin/iobench" lab up; then
        for name in $(names); do
            echo "$before" | grep -qx "$name" || made="$made $name"
        done
        for target in $("$bin/iobench" lab list --targets); do
            case ${target%%=*} in iodrive | ssd | sas) set -- "$@" -t "$target" ;; esac
        done
    fi
fi
if [ $# -eq 0 ]; then
    as_root=
    echo "no emulated drives, which need root and loop devices: measuring the disk that this folder is on"
fi

# As root where the drives were made as root: with cgroup v2 their limits hold only for what root starts there.
$as_root "$bin/iobench" suite quick "$@" --results "$results"
code=$?
# 1 says that a result is not sound and 4 that a step failed: there is still a report to look at.
case $code in 0 | 1 | 4) ;; *) exit $code ;; esac
written=$($as_root "$bin/iobench" report --results "$results") || code=$?
down
[ -n "$written" ] || exit "$code"
echo "the report, with its pictures beside it:"
echo "$written" | tail -n 1
exit "$code"
