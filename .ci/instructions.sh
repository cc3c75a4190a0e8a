#!/usr/bin/env bash
# Counts the instructions of one call and holds the count against benches/instructions.toml: times
# drift with the machine, instructions do not. With --write it writes the file instead.
#
# Counts in the build of the tests, because an optimized build takes longer than everything else that
# CI compiles. A call costs about ten times as many instructions there, and grows by the same causes.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v valgrind > /dev/null; then
  root=; [ "$(id -u)" = 0 ] || root=sudo
  $root apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $root apt-get install -qq --yes --no-install-recommends valgrind > /dev/null
fi
action=--compare
if [ "${1:-}" = --write ]; then action=--write; fi
# The command of the tests, so that nothing is compiled twice.
cargo test --quiet --locked --workspace --no-run
target/debug/bench instructions "$action" benches/instructions.toml
