#!/usr/bin/env bash
# Installs FastMCP into a folder that git ignores, for `cargo run --release -p bench -- load`. Safe
# to run again.
set -euo pipefail
cd "$(dirname "$0")"
if ! cmp -s requirements.txt .venv/installed.txt; then
  python3 -m venv .venv
  .venv/bin/pip install --quiet --disable-pip-version-check -r requirements.txt
  cp requirements.txt .venv/installed.txt
fi
