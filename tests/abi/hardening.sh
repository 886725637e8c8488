#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# hardening.sh PROGRAM FOLDER: what the linker and the compiler were to do for a release, found in
# what they made. The program and each plugin of the folder are
#
#   position independent; relocated before anything runs, and read-only then (full RELRO); without
#   a segment that can be written and executed, the stack among them; without a path of its own to
#   look for libraries in; compiled, all of it, with canaries and with probes of large stack frames.
#
# Of the program it is also seen that the canaries, the checked forms of glibc's functions and (on
# x86-64) the probes are there.
set -u
program=$1
folder=$2
failed=0

bad() {
    echo "$1: $2"
    failed=1
}

# The flags that each compiled file of ours was made with, as the debug information has them.
producers() {
    readelf --debug-dump=info --wide "$1" 2>/dev/null |
        sed -n 's/.*DW_AT_producer *: *//p' | grep -E 'GNU C|clang' | sort -u
}

judge() {
    head=$(readelf -hW "$1")
    parts=$(readelf -lW "$1")
    dynamic=$(readelf -dW "$1")
    echo "$head" | grep -q 'Type: *DYN' || bad "$1" "is not position independent"
    echo "$parts" | grep -q GNU_RELRO || bad "$1" "has no RELRO"
    echo "$dynamic" | grep -q BIND_NOW || bad "$1" "is relocated lazily: RELRO is partial"
    echo "$parts" | grep -E '^ *(LOAD|GNU_STACK)' | grep -q 'RWE' &&
        bad "$1" "has a segment that can be written and executed"
    echo "$parts" | grep -q GNU_STACK || bad "$1" "does not say that its stack is not executed"
    echo "$dynamic" | grep -qE 'TEXTREL' && bad "$1" "relocates its code"
    echo "$dynamic" | grep -qE 'RPATH|RUNPATH' && bad "$1" "looks for libraries in its own path"
    flags=$(producers "$1")
    [ -n "$flags" ] || bad "$1" "has no debug information that would tell how it was compiled"
    for flag in -fstack-protector-strong -fstack-clash-protection; do
        echo "$flags" | grep -vqe "$flag" && bad "$1" "was compiled without $flag: $flags"
    done
}

judge "$program"
readelf -dW "$program" | grep -q 'Flags:.*PIE' || bad "$program" "is no PIE"
imports=$(nm -D --undefined-only "$program")
echo "$imports" | grep -q '__stack_chk_fail' || bad "$program" "has no canaries"
echo "$imports" | grep -q '__v\?snprintf_chk' || bad "$program" "is not fortified"
if [ "$(uname -m)" = x86_64 ]; then
    objdump -d --no-show-raw-insn "$program" | grep -q 'orq *\$0x0,(%rsp)' ||
        bad "$program" "does not probe its large stack frames"
fi

count=0
for plugin in "$folder"/*.so; do
    judge "$plugin"
    count=$((count + 1))
done
[ -e "$plugin" ] || bad "$folder" "has no plugins"
echo "$count plugins looked at"
exit "$failed"
