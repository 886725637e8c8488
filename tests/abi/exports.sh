#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# exports.sh PROGRAM|- FOLDER…: what a binary lets others see.
#
# The program exports no symbol: a plugin that could link back into it would depend on more than
# the ABI. (A name with a version, such as stderr@GLIBC_2.2.5, is a library's own variable that
# the linker moved into the program.) It has no failpoints either, which are for builds that
# tests kill. Each plugin in the folders exports its entry, nothing else.
set -u
program=$1
shift
failed=0

exports() {
    nm -D --defined-only -- "$1" | awk '{ print $NF }' | grep -v '@' | sort
}

if [ "$program" != - ]; then
    # What linkers add by themselves.
    extra=$(exports "$program" | grep -v -x -E \
        '_init|_fini|_end|_edata|_etext|end|edata|etext|__bss_start|_IO_stdin_used|__data_start|data_start')
    if [ -n "$extra" ]; then
        echo "$program exports symbols: $extra"
        failed=1
    fi
    if grep -q TAILRACE_FAILPOINTS "$program"; then
        echo "$program has failpoints"
        failed=1
    fi
fi

count=0
for folder in "$@"; do
    for plugin in "$folder"/*.so; do
        case $plugin in */bad_symbol.so | */not_elf.so | *'/*.so') continue ;; esac
        count=$((count + 1))
        found=$(exports "$plugin" | tr '\n' ' ')
        [ "$found" = "tr_plugin_v1 " ] && continue
        echo "$plugin exports not just tr_plugin_v1 but: $found"
        failed=1
    done
done
[ "$count" -gt 0 ] || { echo "there is no plugin in: $*"; exit 1; }
exit "$failed"
