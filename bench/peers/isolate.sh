#!/usr/bin/env bash
# Owns: how isolate gets onto this machine. Uses the one that is on PATH or that somebody has put into
# ${XDG_CACHE_HOME:-$HOME/.cache}/envicutor/peers/isolate, else unpacks the package of that name there if this machine's apt knows one (Debian 12 and
# 13 have none); prints the program's path as its only line on standard output. Never runs it and never takes a binary that third parties built.
source "$(dirname "$0")/debian-package.sh"

use_installed isolate
use_kept isolate usr/bin/isolate
know isolate || absent "this machine's apt knows no such package; put it on PATH or at $(place isolate)"
begin isolate usr/bin/isolate
unpack isolate
add_libraries usr/bin/isolate isolate
keep usr/bin/isolate
