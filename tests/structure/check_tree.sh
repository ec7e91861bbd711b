#!/bin/sh
# check_tree.sh TABLE ROOT: holds every source file below ROOT against the table of folders, and
# against what every file has: a licence line, at most 800 lines, no marks of unfinished work, no
# switch over operators.
# Prints file:line: error: ... per finding; exit status 1 where there is one.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
table=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
cd "$2"
# Build folders and hidden ones are no part of the tree.
find . \( -path './build*' -o -path './.*' \) -prune -o \
    \( -name '*.c' -o -name '*.h' -o -name '*.def' \) -type f -print |
    sed 's|^\./||' | sort >"${TMPDIR:-/tmp}/retort-tree-$$"
trap 'rm -f "${TMPDIR:-/tmp}/retort-tree-$$"' EXIT
[ -s "${TMPDIR:-/tmp}/retort-tree-$$" ] || { echo "no source files below $2"; exit 1; }
xargs awk -f "$here/check_tree.awk" "$table" <"${TMPDIR:-/tmp}/retort-tree-$$"
