#!/usr/bin/env bash
# Owns: how go-judge gets onto this machine. Uses the one that is on PATH or that somebody has put into
# ${XDG_CACHE_HOME:-$HOME/.cache}/envicutor/peers/go-judge, else has the Go client, as this machine has it set up, fetch and compile a pinned version of
# its module there; prints the program's path as its only line on standard output. Never runs it, asks at most once, and leaves nothing in the user's
# own Go folders. A module proxy that refuses it makes it absent, with a sentence.
source "$(dirname "$0")/debian-package.sh"

package=github.com/criyle/go-judge/cmd/go-judge@v1.9.0

use_installed go-judge
use_kept go-judge
type -P go >/dev/null || absent "there is no Go here to compile it; install that, or put a go-judge on PATH or at $(place go-judge)"
begin go-judge
export GOBIN=$work/tree GOPATH=$work/go GOMODCACHE=$work/go/pkg/mod GOCACHE=$work/compiled
GOFLAGS="$(go env GOFLAGS) -modcacherw"
export GOFLAGS=${GOFLAGS# }
quietly timeout 600 go install "$package" ||
  absent "'go install $package' failed ($(last_words)); put a go-judge on PATH or at $(place go-judge)"
echo "go module ${package/\/cmd\/go-judge/}" >"$work/tree/SOURCE"
keep go-judge
