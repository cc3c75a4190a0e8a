#!/usr/bin/env bash
# Counts the instructions of one call and compares the count with benches/instructions.toml.
# Instructions are counted, because times depend on the machine. With --write, the script writes the
# file instead.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v valgrind > /dev/null; then
  root=; [ "$(id -u)" = 0 ] || root=sudo
  $root apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $root apt-get install -qq --yes --no-install-recommends valgrind > /dev/null
fi
action=--compare
if [ "${1:-}" = --write ]; then action=--write; fi
# The profile `counted` is `release` without the steps that make building slow: see Cargo.toml.
cargo build --quiet --locked --profile counted --package bench --bin bench --no-default-features
target/counted/bench instructions "$action" benches/instructions.toml
