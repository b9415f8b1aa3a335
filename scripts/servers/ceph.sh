#!/usr/bin/env bash
# One-node Ceph on loopback with its objects in memory, for its S3 gateway (RGW).
#
#   ceph.sh start DIR     makes DIR anew, returns when S3 answers and the users exist
#   ceph.sh stop DIR      ends what was started there, by its pid files
#
# PORT (7480) is where S3 answers, MON_PORT (PORT + 10000) where the monitor does, STORE_BYTES (8 GiB) how much fits.
# Users: test / testsecret may do anything; testro / testrosecret is the same user with read access only.
# Needs Debian's radosgw, ceph-mon, ceph-osd, ceph-common and curl.
set -euo pipefail

command=${1:?start or stop}
dir=$(realpath -m "${2:?a directory}")
port=${PORT:-7480}
mon="v1:127.0.0.1:${MON_PORT:-$((port + 10000))}"

fail() {
  echo "ceph.sh: $*" >&2
  tail -n 20 "$dir/log/start.out" >&2 2>/dev/null || true
  exit 1
}

# The monitor forgets a command now and then while it elects itself.
again() {
  for _ in 1 2 3 4 5 6 7 8; do
    "$@" >>"$dir/log/start.out" 2>&1 && return
    sleep 0.25
  done
  fail "gave up on: $*"
}

wait_until() {
  local what=$1
  shift
  for _ in $(seq 300); do
    "$@" >/dev/null 2>&1 && return
    sleep 0.1
  done
  fail "$what did not come up"
}

write_config() {
  cat >"$dir/ceph.conf" <<CONF
[global]
fsid = $1
monmap = $dir/monmap
mon_host = $mon
ms_bind_msgr2 = false
ms_cluster_mode = crc
public_network = 127.0.0.0/8
cluster_network = 127.0.0.0/8
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 8
osd_pool_default_pgp_num = 8
osd_pool_default_pg_autoscale_mode = off
mon_allow_pool_size_one = true
osd_crush_chooseleaf_type = 0
mon_max_pg_per_osd = 1000
mon_data_avail_warn = 1
mon_data_avail_crit = 0
run_dir = $dir/run
admin_socket = $dir/run/\$name.asok
pid_file = $dir/run/\$name.pid
log_file = $dir/log/\$name.log
keyring = $dir/keyring
debug_osd = 0/0
debug_mon = 0/0
debug_rgw = 0/1
paxos_propose_interval = 0.01
paxos_min_wait = 0.01
[mon]
mon_data = $dir/mon
[osd]
osd_data = $dir/osd
osd_objectstore = memstore
memstore_device_bytes = ${STORE_BYTES:-8589934592}
osd_class_update_on_start = false
osd_crush_update_on_start = false
osd_op_num_shards = 2
osd_class_load_list = *
osd_class_default_list = *
[client.rgw]
rgw_data = $dir/rgw
rgw_frontends = beast endpoint=127.0.0.1:$port tcp_nodelay=1
rgw_dns_name = 127.0.0.1
rgw_relaxed_region_enforcement = true
rgw_enable_usage_log = false
rgw_thread_pool_size = 64
rgw_gc_obj_min_wait = 5
rgw_gc_processor_period = 10
rgw_gc_processor_max_time = 10
CONF
}

osd_is_up() {
  ceph osd stat 2>/dev/null | grep -q '1 up'
}

start() {
  for program in radosgw radosgw-admin ceph ceph-mon ceph-osd monmaptool curl; do
    command -v "$program" >/dev/null || fail "$program is not installed"
  done
  if curl -s -o /dev/null "http://127.0.0.1:$port/"; then
    fail "port $port is taken"
  fi
  rm -rf "$dir"
  mkdir -p "$dir"/{mon,osd,rgw,run,log}
  cd "$dir"
  local fsid osd_id
  fsid=$(cat /proc/sys/kernel/random/uuid)
  osd_id=$(cat /proc/sys/kernel/random/uuid)
  write_config "$fsid"
  export CEPH_CONF="$dir/ceph.conf" CEPH_ARGS="-c $dir/ceph.conf"
  touch keyring
  monmaptool --create --clobber --fsid "$fsid" --addv a "[$mon]" monmap >>log/start.out 2>&1
  ceph-mon --mkfs -i a --monmap monmap -k keyring >>log/start.out 2>&1
  ceph-mon -i a >>log/start.out 2>&1
  again ceph osd new "$osd_id" 0
  ceph-osd -i 0 --mkfs --osd-uuid "$osd_id" >>log/start.out 2>&1
  ceph-osd -i 0 >>log/start.out 2>&1
  again ceph osd crush add osd.0 1.0 root=default host=h1
  wait_until 'the object store daemon' osd_is_up
  radosgw -n client.rgw >>log/start.out 2>&1
  wait_until 'the S3 gateway' curl -fs "http://127.0.0.1:$port/"
  again radosgw-admin user create --uid=test --display-name=Test --access-key=test --secret-key=testsecret
  again radosgw-admin subuser create --uid=test --subuser=test:ro --access=read
  again radosgw-admin key create --uid=test --subuser=test:ro --key-type=s3 \
    --access-key=testro --secret-key=testrosecret
  echo "http://127.0.0.1:$port"
}

stop() {
  local name pid
  for name in client.rgw osd.0 mon.a; do
    [ -s "$dir/run/$name.pid" ] || continue
    pid=$(cat "$dir/run/$name.pid")
    kill "$pid" 2>/dev/null || continue
    for _ in $(seq 30); do
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.1
    done
    kill -9 "$pid" 2>/dev/null || true
  done
}

case $command in
start) start ;;
stop) stop ;;
*) fail "neither start nor stop: $command" ;;
esac
