#!/usr/bin/env bash
# One-node OpenStack Swift on loopback, for its native API and for the S3 of its s3api middleware.
#
#   swift.sh start DIR    makes DIR anew, returns when the proxy answers
#   swift.sh stop DIR     ends what was started there, by its pid files
#
# PORT (8080) is where the proxy answers; the four ports behind it are for account, container, object and memcached.
# S3 credentials: test:tester / testing. Native: X-Storage-User test:tester, X-Storage-Pass testing.
# DIR must lie on a file system with user.* attributes. Needs Debian's swift-proxy, swift-account, swift-container,
# swift-object, memcached and curl.
set -euo pipefail

command=${1:?start or stop}
dir=$(realpath -m "${2:?a directory}")
port=${PORT:-8080}
memcached_port=$((port + 4))
user=$(id -un)

fail() {
  echo "swift.sh: $*" >&2
  tail -n 20 "$dir"/log/*.log >&2 2>/dev/null || true
  exit 1
}

common_settings() {
  cat <<CONF
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $1
workers = 1
user = $user
swift_dir = $dir/etc
log_level = ERROR
log_udp_host = 127.0.0.1
log_udp_port = 9
CONF
}

write_storage_config() {
  common_settings "$2"
  cat <<CONF
devices = $dir/devices
mount_check = false
disable_fallocate = true
[pipeline:main]
pipeline = $1-server
[app:$1-server]
use = egg:swift#$1
CONF
}

write_proxy_config() {
  common_settings "$port"
  cat <<CONF
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache listing_formats bulk tempurl s3api tempauth copy slo dlo versioned_writes symlink proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
# On a busy machine a storage server that answers late is not a broken one, which Swift would leave out for a minute.
conn_timeout = 10
node_timeout = 60
error_suppression_limit = 1000000
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:$memcached_port
[filter:tempurl]
use = egg:swift#tempurl
allowed_digests = sha1 sha256 sha512
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_versioned_writes = true
allow_object_versioning = true
CONF
  local filter
  for filter in catch_errors gatekeeper healthcheck listing_formats bulk copy slo dlo symlink; do
    printf '[filter:%s]\nuse = egg:swift#%s\n' "$filter" "$filter"
  done
}

# One ring with one device for each of account, container and object.
build_rings() {
  /usr/bin/python3 - "$dir/etc" "$port" <<'PYTHON'
import sys
from swift.common.ring import RingBuilder

folder, port = sys.argv[1], int(sys.argv[2])
for number, kind in enumerate(('account', 'container', 'object'), 1):
    place = dict(ip='127.0.0.1', port=port + number)
    replication = dict(replication_ip='127.0.0.1', replication_port=port + number)
    builder = RingBuilder(4, 1, 0)
    builder.add_dev(dict(id=0, region=1, zone=1, weight=1.0, device='d1', meta='', **place, **replication))
    builder.rebalance()
    builder.get_ring().save('%s/%s.ring.gz' % (folder, kind))
PYTHON
}

# Swift reads the salt of its hashes from this one place only.
ensure_hash_path() {
  grep -qs '^swift_hash_path_suffix' /etc/swift/swift.conf && return
  mkdir -p /etc/swift
  cat >/etc/swift/swift.conf <<CONF
[swift-hash]
swift_hash_path_suffix = suffix
swift_hash_path_prefix = prefix
[storage-policy:0]
name = Policy-0
default = yes
CONF
}

# The proxy answers before the servers behind it do: only a container that can be made and removed shows that all are there.
can_store() {
  local token url="http://127.0.0.1:$port"
  token=$(curl -fs -D - -o /dev/null -H 'X-Storage-User: test:tester' -H 'X-Storage-Pass: testing' "$url/auth/v1.0" |
    tr -d '\r' | awk 'tolower($1) == "x-auth-token:" { print $2 }') || return 1
  curl -fs -o /dev/null -X PUT -H "X-Auth-Token: $token" "$url/v1/AUTH_test/ready" &&
    curl -fs -o /dev/null -X DELETE -H "X-Auth-Token: $token" "$url/v1/AUTH_test/ready"
}

start() {
  for program in swift-proxy-server swift-account-server swift-container-server swift-object-server memcached curl; do
    command -v "$program" >/dev/null || fail "$program is not installed"
  done
  if curl -s -o /dev/null "http://127.0.0.1:$port/"; then
    fail "port $port is taken"
  fi
  rm -rf "$dir"
  mkdir -p "$dir"/{etc,devices/d1,run,log}
  ensure_hash_path
  cp /etc/swift/swift.conf "$dir/etc/"
  write_storage_config account $((port + 1)) >"$dir/etc/account-server.conf"
  write_storage_config container $((port + 2)) >"$dir/etc/container-server.conf"
  write_storage_config object $((port + 3)) >"$dir/etc/object-server.conf"
  write_proxy_config >"$dir/etc/proxy-server.conf"
  build_rings
  memcached -u "$user" -l 127.0.0.1 -p "$memcached_port" -U 0 -m 64 -d -P "$dir/run/memcached.pid"
  local server
  for server in account container object proxy; do
    setsid "swift-$server-server" "$dir/etc/$server-server.conf" -v >"$dir/log/$server.log" 2>&1 </dev/null &
    echo $! >"$dir/run/$server.pid"
  done
  for _ in $(seq 300); do
    if can_store; then
      echo "http://127.0.0.1:$port"
      return
    fi
    sleep 0.1
  done
  fail 'the proxy did not come up'
}

stop() {
  local name pid
  for name in proxy object container account memcached; do
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
