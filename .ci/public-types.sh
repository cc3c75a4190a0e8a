#!/usr/bin/env bash
# Holds each public item against the examples of the documentation (`examples.py`), and the types of
# other crates in our public API against `allowed_external_types` in the crate's
# Cargo.toml, because an upgrade of such a crate is a breaking change of ours. The list has the form of
# cargo-check-external-types, which needs a nightly compiler; rustdoc of the stable one writes the same
# description of the API when it is told to.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=target/public-types
mkdir -p "$folder"
cat > "$folder/rustdoc" << 'EOF'
#!/bin/sh
# For rustdoc alone, so that no crate is compiled anew.
RUSTC_BOOTSTRAP=1 exec rustdoc "$@"
EOF
chmod +x "$folder/rustdoc"
for crate in ${*:-scopeward-policy scopeward}; do
  features=(); [ "$crate" = scopeward ] && features=(--features "embedded-issuer,testing")
  RUSTDOC="$PWD/$folder/rustdoc" cargo rustdoc --quiet --locked --package "$crate" --lib \
    "${features[@]+"${features[@]}"}" -- -Z unstable-options --output-format json
  python3 .ci/public-types.py "target/doc/${crate//-/_}.json" "${crate#scopeward-}/Cargo.toml"
  python3 .ci/examples.py "target/doc/${crate//-/_}.json"
done
