#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# service.sh UNIT: is the service shut off from what it does not need? systemd judges, from 0 (shut
# off from everything) to 10; ours is the Internet, sockets of the machine, and the JIT of PCRE2.
set -eu
command -v systemd-analyze >/dev/null || { echo "there is no systemd-analyze"; exit 77; }

# In tenths. What is left is listed with the reasons in the unit itself.
systemd-analyze security --offline=yes --no-pager --threshold=20 "$1"
