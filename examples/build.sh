# SPDX-License-Identifier: Apache-2.0
# Sourced by the examples' `run`, at the top of the tree, with `targets` set to what they need:
# installs what the build lacks (as root or by sudo), builds, and sets `tree` to where.

./tests/setup build

# The release tree where there is one; else one without the tests, which need more packages.
if [ -f build/release/CMakeCache.txt ]; then
    tree=build/release
else
    tree=build/quickstart-release
    cmake --preset release -B "$tree" -DTAILRACE_TESTS=OFF >/dev/null
fi
echo "building in $tree"
# shellcheck disable=SC2086 # a list of words
if ! log=$(cmake --build "$tree" -j "$(nproc)" --target $targets 2>&1); then
    printf '%s\n' "$log"
    exit 1
fi
