#!/usr/bin/env bash
# Checks a policy in CI: its layout, its findings, its tests, and who gains or loses access.
# action.yml runs this on GitHub; anywhere else it runs as it is.
#
# At most one of these three says which server knows the tools:
#   COMMAND   how to run its binary (default: cargo run --quiet --locked --): a path, or words as in a
#             shell, with quotes around a word that has spaces
#   BINARY    the path of its binary
#   DOWNLOAD  the tag of a release that holds its binary, with REPOSITORY, ASSET and SHA256: see
#             binary.sh
#
#   POLICY    the policy file (default: policy.toml)
#   BASE      the Git revision to compare with (default: no comparison)
#   DENY      the least severe finding that fails: error or warning (default: warning)
#   CHECK     "off" leaves out the startup check, which asks the provider as the server does and needs
#             the settings of the deployment (default: "on")
#   WIDENING  "deny" fails a change that gives somebody access, unless a commit since BASE accepts it
#             with the line `Widens: tools.NAME: why` in its message (default: the change is shown)
set -uo pipefail

fail() {
  printf '%s%s\n' "${GITHUB_ACTIONS:+::error title=Scopeward policy::}" "$1" >&2
  exit 2
}

# A second source would be ignored, and the policy checked against another server than expected.
sources=(${COMMAND:+command} ${BINARY:+binary} ${DOWNLOAD:+download})
if [ "${#sources[@]}" -gt 1 ]; then
  fail "\`${sources[0]}\` and \`${sources[1]}\` both say which server to ask. Keep one of them."
fi
# Without a download nothing would be checked against this SHA-256.
if [ -z "${DOWNLOAD:-}" ] && [ -n "${ASSET:-}${SHA256:-}" ]; then
  fail '`asset` and `sha256` belong to `download`, which is empty. Set `download` to the tag of a release.'
fi

if [ -n "${DOWNLOAD:-}" ]; then
  folder=$(mktemp -d) || exit 2
  trap 'rm -rf "$folder"' EXIT
  BINARY=$(bash "$(dirname "${BASH_SOURCE[0]}")/binary.sh" "$folder") || exit 2
fi
if [ -n "${BINARY:-}" ]; then
  case $BINARY in
    */*) ;;
    *) BINARY=./$BINARY ;; # because a name without a folder would be looked up in PATH
  esac
  shown=$(printf '%q' "$BINARY") # on one line, because each line of the log may be a command
  [ -f "$BINARY" ] || fail "\`binary\` is $shown, which is not a file. Build or download it in an earlier step."
  [ -x "$BINARY" ] || fail "\`binary\` is $shown, which is not executable. Run \`chmod +x\` on it; actions/download-artifact drops the permission."
  command=("$BINARY")
else
  COMMAND=${COMMAND:-cargo run --quiet --locked --}
  if [ -f "$COMMAND" ] && [ -x "$COMMAND" ]; then
    command=("$COMMAND") # one path, whose spaces are no ends of words
    case $COMMAND in */*) ;; *) command=("./$COMMAND") ;; esac
  else
    # xargs knows quotes and backslashes, and expands nothing.
    words=$(xargs -n 1 printf '%s\n' <<< "$COMMAND" 2> /dev/null) \
      || fail '`command` has a quote that is not closed.'
    command=()
    while IFS= read -r word; do command+=("$word"); done <<< "$words"
  fi
fi

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
if [ "${CHECK:-on}" != off ]; then
  # Annotations of what is wrong are the lint's; this adds what only a start would see.
  part check
fi

if [[ "${BASE:-}" =~ ^0+$ ]]; then
  echo "This branch is new: there is no policy before it to compare with." >&2
elif [ -n "${BASE:-}" ]; then
  # A shallow clone may not have the revision yet.
  git rev-parse --verify --quiet "$BASE^{commit}" > /dev/null \
    || git fetch --quiet --depth=1 origin "$BASE" || true
  deny=()
  if [ "${WIDENING:-}" = deny ]; then deny=(--deny widening); fi
  printf '\n-- policy diff\n' >&2
  run diff --git "$BASE" ${deny[@]+"${deny[@]}"}
  code=$?
  if [ "$code" -ne 0 ]; then failed=1; fi
  # 1 means refused. With another code the command did not run, and has said why.
  if [ "$code" -eq 1 ] && [ -n "${GITHUB_ACTIONS:-}" ]; then
    echo "::error title=Scopeward policy::The change widens access, or a commit accepts a widening that is not there. The log says which rule, and how to accept it." >&2
  fi
  if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then
    # What is refused stands in the summary too; the messages are in the log already.
    run diff --git "$BASE" ${deny[@]+"${deny[@]}"} --format markdown >> "$GITHUB_STEP_SUMMARY" 2> /dev/null \
      || failed=1
  fi
fi
exit "$failed"
