# Sourced by scripts/container.sh, from the root of the repository: finds a Docker daemon with compose and buildx, or
# starts a private one. Where a daemon answers, that one is used, and images are pulled as usual. Where none does, on
# Debian and as root, a dockerd of Debian 13 is unpacked (not installed) into $docker_dir and started on a socket of its
# own; it pulls nothing: an image named golang:1.26 is made of this machine's Go, busybox and CA certificates.
# Sets daemon_pid when it started one; end_docker ends it.
# shellcheck shell=bash
docker_dir=${MOCKSRV_DOCKER_DIR:-/var/tmp/mocksrv-docker}
docker_packages=(docker.io docker-cli docker-compose docker-buildx containerd busybox-static)
builder_image=golang:1.26
daemon_pid=

no_docker() {
  echo "NOT RUN: the container tests need Docker, and $*" >&2
  exit 2
}

use_docker() {
  if docker info >/dev/null 2>&1; then
    docker compose version >/dev/null 2>&1 || no_docker "this one has no compose plugin; install docker-compose-plugin"
    docker buildx version >/dev/null 2>&1 || no_docker "this one has no buildx plugin; install docker-buildx-plugin"
    return
  fi
  [ "$(id -u)" = 0 ] || no_docker "no daemon answers ($(docker info 2>&1 | tail -1)); start it, or run this as root on Debian"
  command -v apt-get >/dev/null || no_docker "no daemon answers, and without apt-get none can be started"
  [ -x "$docker_dir/root/usr/sbin/dockerd" ] || unpack_docker
  start_docker
  builder_is_fresh || make_builder
}

# unpack_docker downloads the packages from the mirror this machine already uses.
unpack_docker() {
  local mirror options package
  echo "unpacking Docker into $docker_dir (once)"
  apt-get -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends runc iptables ca-certificates procps >/dev/null
  # shellcheck disable=SC2016 # $(REPO_URI) is apt's
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m1 'debian/*$') ||
    no_docker "no Debian mirror is configured in /etc/apt"
  rm -rf "$docker_dir/unpack"
  mkdir -p "$docker_dir/unpack/lists/partial" "$docker_dir/unpack/cache/archives/partial" "$docker_dir/config"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >"$docker_dir/unpack/trixie.list"
  options=(-qq -o "Dir::Etc::SourceList=$docker_dir/unpack/trixie.list" -o Dir::Etc::SourceParts=-
    -o "Dir::State::Lists=$docker_dir/unpack/lists" -o "Dir::Cache=$docker_dir/unpack/cache" -o APT::Sandbox::User=root)
  apt-get "${options[@]}" update
  (cd "$docker_dir/unpack" && apt-get "${options[@]}" download "${docker_packages[@]/%//trixie}")
  for package in "$docker_dir"/unpack/*.deb; do
    dpkg-deb -x "$package" "$docker_dir/unpack/root"
  done
  rm -rf "$docker_dir/root"
  mv "$docker_dir/unpack/root" "$docker_dir/root"
  ln -sfn "$docker_dir/root/usr/libexec/docker/cli-plugins" "$docker_dir/config/cli-plugins"
  rm -rf "$docker_dir/unpack"
}

# start_docker starts the daemon and waits for it. Two of them would fight over the bridge: the lock is held meanwhile.
start_docker() {
  exec 9>"$docker_dir/lock"
  flock -w 300 9 || no_docker "another run has held $docker_dir/lock for five minutes"
  export PATH="$docker_dir/root/usr/bin:$docker_dir/root/usr/sbin:$PATH"
  export DOCKER_CONFIG=$docker_dir/config DOCKER_HOST=unix://$docker_dir/docker.sock
  dockerd --host "$DOCKER_HOST" --data-root "$docker_dir/data" --exec-root "$docker_dir/exec" \
    --pidfile "$docker_dir/docker.pid" >"$docker_dir/log" 2>&1 9>&- &
  daemon_pid=$!
  for _ in $(seq 240); do
    if docker info >/dev/null 2>&1; then return; fi
    kill -0 "$daemon_pid" 2>/dev/null || break
    sleep 0.25
  done
  tail -20 "$docker_dir/log" >&2
  no_docker "the private daemon does not start"
}

builder_is_fresh() {
  [ "$(docker image inspect -f '{{index .Config.Labels "go"}}' "$builder_image" 2>/dev/null)" = "$(go env GOVERSION)" ]
}

make_builder() {
  local root
  echo "making $builder_image of $(go version)"
  root=$(mktemp -d)
  chmod 755 "$root"
  mkdir -p "$root"/{bin,root,go,etc/ssl/certs,usr/local/go}
  mkdir -m 1777 "$root/tmp"
  cp "$docker_dir/root/usr/bin/busybox" "$root/bin/"
  chroot "$root" /bin/busybox --install -s /bin
  cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
  echo 'root:x:0:0::/root:/bin/sh' >"$root/etc/passwd"
  tar -C "$(go env GOROOT)" -cf - --exclude ./test --exclude ./doc --exclude ./api . | tar -C "$root/usr/local/go" -xf -
  tar -C "$root" -cf - . | docker import --change "LABEL go=$(go env GOVERSION)" --change 'WORKDIR /go' \
    --change 'ENV PATH=/usr/local/go/bin:/bin GOPATH=/go GOTOOLCHAIN=local' - "$builder_image" >/dev/null
  rm -rf "$root"
}

# end_docker ends the daemon that was started, by its process id.
end_docker() {
  [ -n "$daemon_pid" ] || return 0
  docker image prune --force >/dev/null 2>&1 || true
  kill "$daemon_pid" 2>/dev/null || true
  wait "$daemon_pid" 2>/dev/null || true
  daemon_pid=
  ip link delete docker0 2>/dev/null || true
}
