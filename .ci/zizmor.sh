#!/usr/bin/env bash
# Audits the GitHub workflows, action.yml and the pre-commit hooks with zizmor, and fails on any
# finding. Installs zizmor into target/tools, which git ignores.
#
# --offline, because the result must change only when this repository changes.
set -euo pipefail
cd "$(dirname "$0")/.."
version=1.32.0
tools=target/tools/zizmor-$version

if [ ! -x "$tools/bin/zizmor" ]; then
  python3 -m venv "$tools"
  "$tools/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: "zizmor==$version"
fi
exec "$tools/bin/zizmor" --offline --strict-collection --persona auditor --no-progress .
