#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# retort itself: help, version, lists, wrong commands.
. "$(dirname "$0")/cases.sh"

begin "help and version"
run 0 retort --help
said "compile a spec to a native training program"
run 0 retort --version
said "retort "
run 2 retort
told "usage: retort COMMAND"
run 2 retort bake
told "there is no command 'bake'"

begin "every command has help"
retort --help | sed -n 's/^  \([a-z]*\) .*/\1/p' >commands
holds test "$(wc -l <commands)" -ge 6
while read -r command; do
    run 0 retort "$command" --help
    said "usage: retort $command"
    run 2 retort "$command" --no-such-option
    told "retort $command"
done <commands

begin "passes and operators"
run 0 retort passes
said "differentiate"
said "training"
run 0 retort ops
said "matmul"
said "attention"
run 2 retort ops everything
told "one argument too many"

finish
