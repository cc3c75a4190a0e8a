#!/usr/bin/env bash
# What CI asks of a policy: its layout, its findings, its tests, and who gains or loses access.
# action.yml runs this on GitHub; anywhere else it runs as it is.
#
#   COMMAND  the server's binary, or how to run it (default: cargo run --quiet --)
#   POLICY   the policy file (default: policy.toml)
#   BASE     the Git revision to compare with (default: none is compared with)
#   DENY     findings as bad as this fail: error, warning (default: warning)
#   WIDENING deny: a change that gives somebody access fails (default: it is shown)
set -uo pipefail

read -r -a command <<< "${COMMAND:-cargo run --quiet --}"
export SCOPEWARD_POLICY=${POLICY:-policy.toml}
failed=0

run() { "${command[@]}" policy "$@"; }
part() { printf '\n-- policy %s\n' "$*" >&2; run "$@" || failed=1; }

part fmt --check
if [ -n "${GITHUB_ACTIONS:-}" ]; then
  part lint --deny "${DENY:-warning}" --format github
else
  part lint --deny "${DENY:-warning}"
fi
part test

if [[ "${BASE:-}" =~ ^0+$ ]]; then
  echo "This branch is new: there is no policy before it to compare with." >&2
elif [ -n "${BASE:-}" ]; then
  # A shallow clone may not have the revision yet.
  git rev-parse --verify --quiet "$BASE^{commit}" > /dev/null \
    || git fetch --quiet --depth=1 origin "$BASE" || true
  deny=()
  if [ "${WIDENING:-}" = deny ]; then deny=(--deny widening); fi
  part diff --git "$BASE" ${deny[@]+"${deny[@]}"}
  if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then
    run diff --git "$BASE" --format markdown >> "$GITHUB_STEP_SUMMARY" || failed=1
  fi
fi
exit "$failed"
