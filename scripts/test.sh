#!/bin/sh
# Runs all tests. What fails is run once more, alone: the machine is shared, and other work on it makes timing noisy.
# A test that fails both times has failed; one that passed only alone is named in the output of the first run.
# BIN: the virtual environment's bin folder
set -u
"$BIN/pytest" "$@"
code=$?
[ "$code" -eq 1 ] || exit "$code" # 1: some tests failed; anything else is no matter of timing
echo "what failed is run once more, alone:"
exec "$BIN/pytest" "$@" --last-failed --last-failed-no-failures none
