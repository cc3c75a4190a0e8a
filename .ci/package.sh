#!/usr/bin/env bash
# Packages the three library crates as for a registry, and builds them from their packages, so that
# a file that is missing in a package fails here.
set -euo pipefail
cd "$(dirname "$0")/.."
crates=(scopeward-policy scopeward-macros scopeward)
# Cargo keeps the unpacked crates of an earlier run by their version, and would build those.
rm -rf target/package "${CARGO_HOME:-$HOME/.cargo}"/registry/src/-*/scopeward-*
cargo package --quiet --locked --allow-dirty "${crates[@]/#/--package=}"
for crate in "${crates[@]}"; do
  for package in target/package/"$crate"-[0-9]*.crate; do
    files=$(tar --list --gzip --file "$package")
    for needed in README.md LICENSE Cargo.toml; do
      if ! grep --quiet "^[^/]*/$needed\$" <<< "$files"; then
        echo "$package has no $needed: it belongs into each crate that is published" >&2
        exit 1
      fi
    done
  done
done
