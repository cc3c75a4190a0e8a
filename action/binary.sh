#!/usr/bin/env bash
# Downloads a server's binary from a GitHub release, and prints the path of the binary.
# policy.sh runs this when DOWNLOAD is set.
#
#   $1          an empty folder, which receives the download
#   DOWNLOAD    the tag of the release
#   REPOSITORY  the repository of the release: OWNER/NAME
#   ASSET       a file of the release: the binary, or a .tar.gz or .zip that holds one executable
#   SHA256      the SHA-256 of that file, in hexadecimal
#
# Nothing is unpacked or run before its SHA-256 has been checked, because the files of a release can
# be replaced after somebody has reviewed them.
set -euo pipefail
export LC_ALL=C # so that A-Z means ASCII
folder=$1

fail() {
  printf '%s%s\n' "${GITHUB_ACTIONS:+::error title=Scopeward policy::}" "$1" >&2
  exit 2
}

digest() { if command -v sha256sum > /dev/null; then sha256sum; else shasum -a 256; fi | cut -d ' ' -f 1; }

# The patterns keep `..`, `?` and `#` out of the URL, because they would lead to another file.
[[ ${REPOSITORY:-} =~ ^[A-Za-z0-9_-]+/[A-Za-z0-9_.-]+$ && $REPOSITORY != *..* ]] \
  || fail '`download` needs `repository`, the repository of the release: OWNER/NAME.'
[[ ${DOWNLOAD:-} =~ ^[A-Za-z0-9][A-Za-z0-9_.+@/-]*$ && $DOWNLOAD != *..* ]] \
  || fail '`download` must be the tag of a release, like v1.2.3.'
[[ ${ASSET:-} =~ ^[A-Za-z0-9][A-Za-z0-9_.+-]*$ ]] \
  || fail '`download` needs `asset`, the name of a file of the release.'
[[ ${SHA256:-} =~ ^[0-9A-Fa-f]{64}$ ]] \
  || fail '`download` needs `sha256`, the SHA-256 of the asset: 64 hexadecimal digits.'

# GitHub sets GITHUB_SERVER_URL. Tests set it to a server on this machine, where HTTP is safe.
server=${GITHUB_SERVER_URL:-https://github.com}
if [[ $server =~ ^http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?$ ]]; then
  transport=(--proto '=http' --max-redirs 0 --noproxy '*') # a redirect could lead to another machine
elif [[ $server =~ ^https://[A-Za-z0-9.-]+(:[0-9]+)?$ ]]; then
  transport=(--proto '=https')
else
  fail 'GITHUB_SERVER_URL must start with https:// and end with the host.'
fi

url=$server/$REPOSITORY/releases/download/$DOWNLOAD/$ASSET
file=$folder/$ASSET
# At most 300 seconds, because a binary is tens of megabytes and a job that hangs costs minutes.
curl --fail --location "${transport[@]}" --silent --show-error --retry 2 --connect-timeout 10 \
  --max-time 300 --output "$file" "$url" \
  || fail "$url was not downloaded. Check \`download\`, \`repository\` and \`asset\`; the repository must be public."

expected=$(tr A-F a-f <<< "$SHA256")
actual=$(digest < "$file")
[ "$actual" = "$expected" ] \
  || fail "$url has the SHA-256 $actual, and \`sha256\` is $expected. The file was not run. If it was replaced, review it before you change \`sha256\`."

# Archives are read from standard input, because tar takes the colon of a Windows path for a host.
case $ASSET in
  *.tar.gz | *.tgz) mkdir "$folder/unpacked" && tar -x -z --no-same-owner -C "$folder/unpacked" -f - < "$file" ;;
  *.zip) unzip -q -d "$folder/unpacked" "$file" ;;
  *)
    chmod +x "$file"
    printf '%s\n' "$file"
    exit
    ;;
esac
binaries=()
while IFS= read -r -d '' binary; do binaries+=("$binary"); done \
  < <(find "$folder/unpacked" -type f \( -perm -u+x -o -name '*.exe' \) -print0)
[ "${#binaries[@]}" -eq 1 ] \
  || fail "$ASSET holds ${#binaries[@]} executable files. It must hold one, the server's binary."
printf '%s\n' "${binaries[0]}"
