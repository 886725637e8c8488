#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# template.sh BUILD_DIR: the SDK is installed into an empty folder, and the template is copied out
# of there and built against it, as the author of a plugin would: by CMake, and by pkg-config. Then it is run.
set -eu
build=$1
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build" --component sdk --prefix "$work/usr" > "$work/log" || {
    cat "$work/log"
    exit 1
}
cp -r "$(find "$work/usr" -path '*/tailrace/template')" "$work/my-plugin"
cd "$work/my-plugin"
if ! { cmake -B build -DCMAKE_PREFIX_PATH="$work/usr" -DCMAKE_C_FLAGS="-Wall -Wextra -Werror" &&
    cmake --build build; } > "$work/log" 2>&1; then
    cat "$work/log"
    exit 1
fi
cd - > /dev/null
sh "$here/exports.sh" - "$work/my-plugin/build/plugins"

# And it runs: on a file of changes, without a server.
for n in 1 2 3; do
    echo "{\"seq\":\"$n-x\",\"id\":\"doc-$n\",\"changes\":[{\"rev\":\"1-a\"}]}"
done > "$work/rows.ndjson"
"$build/core/tailrace" try "$work/my-plugin/build/plugins/my-plugin.so" --log-level info \
    --option every=3 --feed "$work/rows.ndjson" > "$work/log" 2>&1 || {
    cat "$work/log"
    exit 1
}
grep -q '3 changes, the last of them doc-3' "$work/log" || {
    echo "the plugin did not log what it should:"
    cat "$work/log"
    exit 1
}

command -v pkg-config > /dev/null || exit 0
pc=$(find "$work/usr" -name tailrace-sdk.pc)
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH
sdk() { pkg-config --define-variable=prefix="$work/usr" "$@" tailrace-sdk; }
mkdir "$work/out"
# shellcheck disable=SC2046 # flags are words
"${CC:-cc}" -shared -fPIC -fvisibility=hidden $(sdk --cflags) \
    "-Wl,--version-script=$(sdk --variable=exportmap)" -Wl,-z,defs -o "$work/out/my-plugin.so" \
    "$work/my-plugin/my-plugin.c"
sh "$here/exports.sh" - "$work/out"
