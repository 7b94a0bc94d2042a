#!/usr/bin/env bash
# Owns: how a real MinIO gets onto this machine. Compiles the version pinned by go.mod and go.sum beside it, once per
# user, into ${XDG_CACHE_HOME:-$HOME/.cache}/envicutor/minio/<key>/minio, and prints that path as its only line on
# standard output. It never starts MinIO and never touches the clone. What must stay true: a binary that is visible in
# the cache is complete; two runs at once build once; the key changes with whatever changes the binary. About 4 minutes
# of 2 cores, 1.5 GiB of memory and 3 GiB of disk that is given back; a second run takes milliseconds.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
package=github.com/minio/minio
commit=7aac2a2c5b7c882e68c1ce017d8256be2feea27f
committed_at=2026-02-12T20:18:48Z
go_version=1.26.8                 # compiled with this one when the machine's own Go is older than go.mod asks for
go_digest_amd64=h1:ZOmGe1OnfREDMIdb1Qi4G9JSuDPBLGExZMQ4nis1RXM=
go_digest_arm64=h1:sYL/O6MqS68ML0kjsQ36WoYIpJqkw60TxizWUYUKQMc=
disk_kib_needed=$((3 * 1024 * 1024))

# Without these the binary calls itself DEVELOPMENT.GOGET and takes its own file time for its release date.
variables=$package/cmd
flags=(-mod=readonly -trimpath -buildvcs=false -ldflags "-s -w \
-X $variables.Version=$committed_at \
-X $variables.ReleaseTag=DEVELOPMENT.${committed_at//:/-} \
-X $variables.CommitID=$commit \
-X $variables.ShortCommitID=${commit:0:12} \
-X $variables.CopyrightYear=${committed_at:0:4}")

say() { echo "minio: $*" >&2; }
fail() { say "$*"; exit 1; }

cache=${XDG_CACHE_HOME:-$HOME/.cache}/envicutor/minio
key=$({ cat "$here/go.mod" "$here/go.sum"; echo "$(uname -m) ${flags[*]}"; } | sha256sum | cut -c1-16)
binary=$cache/$key/minio
if [[ -x $binary ]]; then echo "$binary"; exit 0; fi

# True when the given go can compile what go.mod declares (1.24 or later).
is_new_enough() {
  local version
  version=$(GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null) || return 1
  printf '%s\n' 1.24 "${version#go}" | sort --check=quiet --version-sort
}

# Sets `go` to a Go that is new enough: the machine's, or a toolchain module that the machine's older one downloads.
find_go() {
  if ! command -v go >/dev/null; then
    [[ $EUID -eq 0 ]] && command -v apt-get >/dev/null ||
      fail "no Go found; install Go 1.24 or later, or Debian's package golang-go, and run this again"
    say 'installing the package golang-go, because MinIO is published as source only'
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends golang-go; } >&2 ||
      fail 'golang-go could not be installed'
  fi
  go=$(command -v go)
  is_new_enough "$go" && return
  local architecture digest_name answer
  architecture=$("$go" env GOARCH)
  digest_name=go_digest_$architecture
  say "$("$go" env GOVERSION) is older than 1.24: fetching the toolchain $go_version"
  answer=$(cd "$work" && "$go" mod download -json "golang.org/toolchain@v0.0.1-go$go_version.linux-$architecture") ||
    fail "the toolchain $go_version could not be fetched: $answer"
  grep -qF "\"Sum\": \"${!digest_name:-no digest is pinned for $architecture}\"" <<<"$answer" ||
    fail "the toolchain $go_version for $architecture is not the one pinned in build.sh; nothing of it was run"
  go=$(sed -n 's/^\t"Dir": "\(.*\)",$/\1/p' <<<"$answer")/bin/go
  # An older Go unpacks modules without execute permission.
  chmod -R u+x "$(dirname "$go")" "$(dirname "$go")/../pkg/tool"
  is_new_enough "$go" || fail "the toolchain in $go doesn't run on this machine"
}

# Turns the names of compiled packages into a percentage, one line per tenth.
show_progress() {
  local total=$1 done=0 shown=0 tenth line
  while read -r line; do
    [[ $line == *': '* || $line == '#'* ]] && say "$line" && continue   # a compiler's message, not a package's name
    done=$((done + 1)) tenth=$((done * 10 / total))
    if ((tenth > shown)); then shown=$tenth; say "compiled $((tenth * 10)) % of $total packages, ${SECONDS} s"; fi
  done
}

mkdir -p "$cache"
exec 9>"$cache/lock"
if ! flock --nonblock 9; then say 'another build is under way, waiting for it'; flock 9; fi
if [[ -x $binary ]]; then echo "$binary"; exit 0; fi

# Everything disposable lives here; kept after a failure, so that the next try goes on from there.
work=$cache/$key.work
mkdir -p "$work"
disk_kib_free=$(df --output=avail -k "$work" | tail -n 1)
((disk_kib_free >= disk_kib_needed)) ||
  fail "building needs 3 GiB of free disk below $cache, there are $((disk_kib_free / 1024)) MiB; free some or set XDG_CACHE_HOME"
export GO111MODULE=on GOTOOLCHAIN=local CGO_ENABLED=0 GOWORK=off GOFLAGS=-modcacherw
export GOPATH=$work/path GOMODCACHE=$work/modules GOCACHE=$work/compiled GOTMPDIR=$work
say "building $package at ${commit:0:12} once for this user (about 4 minutes on 2 cores)"
find_go
cd "$here"
say 'fetching its modules'
"$go" mod download >&2 || fail 'its modules could not be fetched (see above); run this again when the network is back'
packages=$("$go" list -mod=readonly -deps "$package" | wc -l)
"$go" build -v "${flags[@]}" -o "$work/minio" "$package" 2>&1 | show_progress "$packages" || fail 'it did not compile'
mkdir -p "$cache/$key"
sync "$work/minio"
mv "$work/minio" "$binary"
rm -rf "$work"
say "built in ${SECONDS} s"
echo "$binary"
