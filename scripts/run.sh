#!/bin/sh
# The main job: three emulated drives up (or TARGETS="name=/path …"), the suite `quick`, the report, drives down.
set -u
bin=${BIN:?the folder that holds iobench}
results=${IOBENCH_RESULTS:-results}
as_root=
[ "$(id -u)" = 0 ] || { command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null && as_root=sudo; }
up=no

down() {
    [ "$up" = no ] || $as_root "$bin/iobench" lab down >/dev/null || echo "iobench lab down did not end well" >&2
    up=no
}
trap down EXIT
trap 'exit 130' INT TERM HUP

set --
if [ -n "${TARGETS:-}" ]; then
    for target in $TARGETS; do set -- "$@" -t "$target"; done
elif { [ "$(id -u)" = 0 ] || [ -n "$as_root" ]; } && [ -e /dev/loop-control ]; then
    up=yes
    if $as_root "$bin/iobench" lab up; then
        for target in $("$bin/iobench" lab list --targets); do set -- "$@" -t "$target"; done
    fi
fi
[ $# -gt 0 ] || echo "no emulated drives here: measuring the disk that this folder is on"

"$bin/iobench" suite quick "$@" --results "$results"
code=$?
# 1 says that a result is not sound and 4 that a step failed: there is still a report to look at.
case $code in 0 | 1 | 4) ;; *) exit $code ;; esac
last=$("$bin/iobench" report --results "$results" | tail -n 1)
down
echo "the report, with its pictures beside it:"
echo "$last"
exit $code
