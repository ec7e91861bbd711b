# SPDX-License-Identifier: Apache-2.0
# Tests of commands, to be sourced: sh test_NAME.sh PROGRAM_FOLDER. A script is cases:
#
#     begin "an unknown option is refused"
#     run 2 retort data stats --nonsense       # the exit status that is right, and the command
#     told "there is no option '--nonsense'"   # on standard error; `said` is for standard output
#     ...
#     finish
#
# Commands run in a folder of their own, $work, that is removed at the end.
set -u
PATH=$1:$PATH
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
data=${RETORT_TEST_DATA:-$root/../shared}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
passed=0 failed=0 skipped=0 name='' is_good=yes

conclude() {
    [ -n "$name" ] || return 0
    if [ "$is_good" = yes ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
    name=''
}

begin() {
    conclude
    name=$1 is_good=yes
}

# Counts the case as skipped and says why; the caller leaves its commands out.
skip() {
    echo "SKIP $name: $1"
    skipped=$((skipped + 1))
    name=''
}

wrong() {
    echo "FAIL $name: $1"
    is_good=no
}

run() {
    wanted=$1
    shift
    "$@" >"$work/.out" 2>"$work/.err"
    status=$?
    [ "$status" = "$wanted" ] && return 0
    wrong "exit status $status, not $wanted, of: $*"
    sed 's/^/  /' "$work/.err" | head -n 20
}

said() {
    grep -qF -- "$1" "$work/.out" || { wrong "no '$1' in:"; head -n 20 "$work/.out"; }
}

told() {
    grep -qF -- "$1" "$work/.err" || { wrong "no '$1' among the errors:"; head -n 20 "$work/.err"; }
}

# A command that must succeed, for what is no output.
holds() {
    "$@" || wrong "does not hold: $*"
}

finish() {
    conclude
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" = 0 ]
}
