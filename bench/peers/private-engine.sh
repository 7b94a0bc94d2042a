#!/usr/bin/env bash
# Owns: a Docker engine of the benchmark's own: `private-engine.sh FOLDER DOCKERD CGROUP LIBRARIES`, as the first process of its own pid, mount and network
# namespaces (docker.ts makes them). Its state, sockets and settings are in FOLDER, its control groups below CGROUP.
# Never seen by this machine: /run and /opt are its own there, changes to /etc stay in FOLDER, its network has nothing but loopback, and it finds no modprobe.
# What must stay true: when this process ends, so do all others of the engine, and no mount is left.
set -euo pipefail

folder=$1 dockerd=$2 cgroup=$3 libraries=$4
tree=${dockerd%/usr/sbin/dockerd}
mkdir "$folder/etc" "$folder/etc-work"
mount -t tmpfs none /run
mount -t tmpfs none /opt
mount -t overlay -o "lowerdir=/etc,upperdir=$folder/etc,workdir=$folder/etc-work" overlay /etc
echo '{}' >"$folder/settings.json"
export PATH=$tree/usr/sbin:$tree/usr/bin:/usr/bin:/bin
[[ -z $libraries ]] || export LD_LIBRARY_PATH=$libraries
exec "$dockerd" --config-file "$folder/settings.json" --host "unix://$folder/socket" --pidfile "$folder/pid" \
  --data-root "$folder/data" --exec-root "$folder/exec" --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "$cgroup" \
  --bridge none --iptables=false --ip-forward=false --ip-masq=false
