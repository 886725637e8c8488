#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# headers.sh INCLUDE_DIR: each public header stands alone, without one warning, in every standard
# that it promises, by gcc and clang (one of them may be missing). It prints what failed.
set -u
include=$1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failed=0
compilers=0

check() { # compiler language standard header
    printf '#include <%s>\n#include <%s>\nint main(void);\nint main(void) { return 0; }\n' \
        "$4" "$4" > "$work/probe"
    "$1" -x "$2" "-std=$3" -Wall -Wextra -pedantic -Werror -I"$include" -fsyntax-only \
        "$work/probe" && return
    echo "$4 does not compile: $1 -std=$3"
    failed=1
}

headers=$(cd "$include" && find tailrace -name '*.h' | sort)
for compiler in gcc clang; do
    command -v "$compiler" > /dev/null || continue
    compilers=$((compilers + 1))
    for standard in c99 c11 c17; do
        for header in $headers; do
            check "$compiler" c "$standard" "$header"
        done
    done
done
for compiler in g++ clang++; do
    command -v "$compiler" > /dev/null || continue
    compilers=$((compilers + 1))
    for standard in c++11 c++14 c++17 c++20; do
        for header in $headers tailrace/plugin.hpp; do
            check "$compiler" c++ "$standard" "$header"
        done
    done
done
[ "$compilers" -gt 0 ] || { echo "there is no gcc and no clang"; exit 1; }
exit "$failed"
