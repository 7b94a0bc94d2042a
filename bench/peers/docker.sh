#!/usr/bin/env bash
# Owns: how Docker gets onto this machine. Uses the `docker` on PATH when its engine answers, else unpacks Debian's packages of the engine, containerd and
# runc into ${XDG_CACHE_HOME:-$HOME/.cache}/envicutor/peers/docker without installing them, for an engine of the benchmark's own (private-engine.sh); prints
# the path of `docker` or of `dockerd` as its only line on standard output. Never starts an engine and never touches one's settings.
source "$(dirname "$0")/debian-package.sh"

if program=$(type -P docker) && timeout 10 "$program" version --format '{{.Server.Version}}' >/dev/null 2>&1; then
  echo "$program"
  exit 0
fi
[[ $(id -u) = 0 ]] || absent "no engine answers, and one of the benchmark's own needs root"
use_kept usr/sbin/dockerd
begin usr/sbin/dockerd
unpack docker.io containerd runc
add_libraries usr/sbin/dockerd docker.io
keep usr/sbin/dockerd
