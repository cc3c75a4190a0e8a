#!/usr/bin/env bash
# Installs the programs of other projects that the end-to-end tests use, into tests/.tools, which
# git ignores: the official Python SDK (the current version and that of 2025) and TypeScript SDK
# (versions 2 and 1),
# django-oauth-toolkit, oidc-provider, MCP Inspector, Playwright, and Debian's Chromium. Safe to run
# again, because programs that are already installed are skipped.
set -euo pipefail
cd "$(dirname "$0")"
tools=$PWD/../.tools
mkdir -p "$tools"

missing=()
command -v chromium >/dev/null || missing+=(chromium)
command -v npm >/dev/null || missing+=(nodejs npm)
python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3 python3-venv)
if [ ${#missing[@]} -gt 0 ]; then
  echo "installing ${missing[*]}"
  root=; [ "$(id -u)" = 0 ] || root=sudo
  $root apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

for client in current y2025 django; do
  if ! cmp -s "python/$client.txt" "$tools/$client/installed.txt"; then
    echo "installing the Python client $client"
    python3 -m venv "$tools/$client"
    "$tools/$client/bin/pip" install --quiet --disable-pip-version-check -r "python/$client.txt"
    cp "python/$client.txt" "$tools/$client/installed.txt"
  fi
done

if ! cmp -s node/package.json "$tools/node/installed.json"; then
  echo "installing the Node clients"
  mkdir -p "$tools/node"
  cp node/package.json "$tools/node/package.json"
  npm install --prefix "$tools/node" --no-audit --no-fund --loglevel=error
  cp node/package.json "$tools/node/installed.json"
fi
