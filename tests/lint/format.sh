#!/bin/sh
# SPDX-License-Identifier: MIT
# Checks that clang-format agrees with every source file; with -i, makes it so.
set -eu
cd "$(dirname "$0")/../.."
mode='--dry-run --Werror'
[ "${1:-}" = -i ] && mode=-i
# shellcheck disable=SC2086  # two words
find . -path './build*' -prune -o -path './.*/*' -prune -o \( -name '*.c' -o -name '*.h' \) -print0 |
	xargs -0 -r clang-format $mode
