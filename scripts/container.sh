#!/usr/bin/env bash
# Builds the image and runs it on a real Docker daemon: alone, in the example of examples/compose, and by Testcontainers.
# Fails when the image grows fat, is not healthy, is not the user it should be, writes to its root, or a test fails.
# Prints what the image weighs and how long it takes to be there.
#
#   scripts/container.sh
#
# Where no daemon answers, Debian and root are enough: scripts/docker.sh starts a private one. Otherwise it exits with 2.
# It removes the containers, networks and volumes it made, and the images that it replaced by newer ones of the same name. The
# newer ones and the build cache stay, for the next run.
set -euo pipefail
cd "$(dirname "$0")/.."

for tool in go curl jq python3 gzip od; do
  command -v "$tool" >/dev/null || { echo "$tool is needed" >&2; exit 2; }
done

image=mocksrv:container-test
project=mocksrv-container-test
most_compressed=15000000 # bytes
work=$(mktemp -d)
containers=()
tags=("$image" mocksrv-example-app mocksrv-example-papers)
replaced=()
. scripts/docker.sh

# shellcheck disable=SC2317 # the trap calls it
cleanup() {
  local status=$?
  set +e
  if [ "$status" != 0 ] && [ "$status" != 2 ]; then
    compose logs --tail 40 2>/dev/null
    for c in "${containers[@]}"; do docker logs --tail 20 "$c" 2>&1; done
  fi
  compose down --volumes --remove-orphans --timeout 2 >/dev/null 2>&1
  [ ${#containers[@]} = 0 ] || docker rm --force --volumes "${containers[@]}" >/dev/null 2>&1
  remove_replaced
  end_docker
  rm -rf "$work"
  exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# image_id prints the id of an image, or nothing.
image_id() { docker image inspect -f '{{.Id}}' "$1" 2>/dev/null || true; }

# remember_images notes which images the names of this script mean before it builds.
remember_images() {
  local tag id
  for tag in "${tags[@]}"; do
    id=$(image_id "$tag")
    if [ -n "$id" ]; then replaced+=("$id"); fi
  done
}

# remove_replaced removes those that have no name any more. Docker keeps one that somebody's container uses.
# shellcheck disable=SC2317 # the trap calls cleanup, and that this
remove_replaced() {
  local id
  for id in ${replaced[@]+"${replaced[@]}"}; do
    if [ "$(docker image inspect -f '{{len .RepoTags}}' "$id" 2>/dev/null)" = 0 ]; then docker image rm "$id" >/dev/null 2>&1; fi
  done
}

compose() { MOCKSRV_IMAGE=$image docker compose --ansi never --project-name "$project" --file examples/compose/compose.yaml "$@"; }
fail() { echo "FAIL  $*" >&2; exit 1; }
ok() { echo "ok    $*"; }
same() { if [ "$2" = "$3" ]; then ok "$1"; else fail "$1: want $2, got $3"; fi; }

# build_image passes on what the environment says about where modules come from.
build_image() {
  local name arguments=()
  for name in GOPROXY GONOPROXY GONOSUMDB GOSUMDB GOPRIVATE; do
    if [ -n "${!name:-}" ]; then arguments+=(--build-arg "$name"); fi
  done
  docker build --progress plain "${arguments[@]}" --build-arg VERSION=container-test "$@" . >"$work/build" 2>&1 ||
    { cat "$work/build" >&2; fail "the image does not build"; }
}

check_image() {
  local size compressed
  build_image --tag "$image"
  same "runs as a user without rights" 65532:65532 "$(docker image inspect -f '{{.Config.User}}' "$image")"
  same "says its version" 'mocksrv container-test' "$(docker run --rm "$image" version)"
  size=$(docker image inspect -f '{{.Size}}' "$image")
  compressed=$(docker save "$image" | gzip | wc -c | tr -d ' ')
  [ "$compressed" -le "$most_compressed" ] || fail "compressed $compressed bytes, want at most $most_compressed"
  figures+="image                        $(megabytes "$size") MB, compressed $(megabytes "$compressed") MB"$'\n'
  build_image --platform linux/arm64 --output "type=local,dest=$work/arm64"
  same "is built for arm64" 'b7 00' "$(od -An -tx1 -j18 -N2 "$work/arm64/mocksrv" | xargs)"
  reproducible
}

# reproducible builds the binary here, from another path, and compares. It needs the same Go as in the image.
reproducible() {
  local container
  container=$(docker create "$image")
  containers+=("$container")
  docker cp --quiet "$container:/mocksrv" "$work/mocksrv"
  if ! go version "$work/mocksrv" | grep -qw "$(go env GOVERSION)"; then
    echo "skip  the binary is reproducible: the Go of the image is not the one of this machine"
    return
  fi
  CGO_ENABLED=0 GOOS=linux GOARCH=$(docker image inspect -f '{{.Architecture}}' "$image") GOFLAGS='' \
    go build -trimpath -buildvcs=false -ldflags "-s -w -X main.release=container-test" -o "$work/here" ./cmd/mocksrv
  if cmp -s "$work/here" "$work/mocksrv"; then ok "the binary is reproducible"; else fail "the binary differs from one built here"; fi
}

# run starts a container of the image, as its arguments say, and sets container.
run() {
  container=$(docker run --detach "$@")
  containers+=("$container")
}

health() { docker inspect -f '{{.State.Health.Status}}' "$container"; }

becomes() { # STATE: waits for it
  for _ in $(seq 300); do
    if [ "$(health)" = "$1" ]; then return; fi
    sleep 0.05
  done
  fail "the container is $(health), want $1: $(docker inspect -f '{{json .State}}' "$container")"
}

check_container() {
  run --cap-drop ALL --security-opt no-new-privileges --publish 127.0.0.1::8080 "$image"
  becomes healthy
  ok "is healthy without capabilities"
  same "the process is that user" 65532 "$(docker top "$container" -eo uid,pid | awk 'NR == 2 { print $1 }')"
  curl -fsS --noproxy '*' "http://$(docker port "$container" 8080)/_mocksrv/health" >/dev/null || fail "no answer from outside"
  same "writes nothing to its root" '' "$(docker diff "$container")"
  docker stop --time 10 "$container" >/dev/null
  same "ends with 0 when it is told to stop" 0 "$(docker inspect -f '{{.State.ExitCode}}' "$container")"
  run --read-only --cap-drop ALL --security-opt no-new-privileges "$image"
  becomes healthy
  ok "is healthy with a root that cannot be written"
  run --health-interval 200ms --health-retries 1 --health-start-period 0s "$image" serve --listen 127.0.0.1:9999
  becomes unhealthy
  ok "is unhealthy when it does not answer where it should"
}

# start_times starts the image five times and prints the median of how long two things take.
start_times() {
  local begun address answered=() healthy=()
  for _ in 1 2 3 4 5; do
    container=$(docker create --publish 127.0.0.1::8080 "$image")
    containers+=("$container")
    begun=$(now)
    docker start "$container" >/dev/null
    address=$(docker port "$container" 8080)
    until curl -fs --noproxy '*' "http://$address/_mocksrv/health" >/dev/null 2>&1; do
      [ $(($(now) - begun)) -lt 10000 ] || fail "no answer within 10 s"
    done
    answered+=($(($(now) - begun)))
    becomes healthy
    healthy+=("$(docker inspect "$container" | python3 -c '
import datetime, json, re, sys
def instant(text):
    return datetime.datetime.fromisoformat(re.sub(r"\.(\d{1,6})\d*", lambda m: "." + m[1].ljust(6, "0"), text.replace("Z", "+00:00")))
state = json.load(sys.stdin)[0]["State"]
good = next(check for check in state["Health"]["Log"] if check["ExitCode"] == 0)
print(round((instant(good["End"]) - instant(state["StartedAt"])).total_seconds() * 1000))')")
    docker rm --force "$container" >/dev/null
  done
  figures+="docker start to first answer  $(median "${answered[@]}") ms (median of 5)"$'\n'
  figures+="process start to healthy      $(median "${healthy[@]}") ms (median of 5; goal 300)"$'\n'
}

megabytes() { awk -v bytes="$1" 'BEGIN { printf "%.1f", bytes / 1e6 }'; }
now() { python3 -c 'import time; print(int(time.time() * 1000))'; }
median() { printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"; }

check_compose() {
  local passed
  compose config --quiet
  compose build --quiet app papers
  compose up --no-build --abort-on-container-exit --exit-code-from test >"$work/compose" 2>&1 ||
    { cat "$work/compose" >&2; fail "the compose example"; }
  passed=$(sed -n 's/.*test-1 .*| \([1-9][0-9]* passed, 0 failed\) .*/\1/p' "$work/compose")
  [ -n "$passed" ] || { cat "$work/compose" >&2; fail "the compose example ran no scenario"; }
  ok "the compose example: $passed"
  container=$(compose ps --all --quiet mocksrv)
  same "mocksrv wrote nothing to its root there" '' "$(docker diff "$container")"
  same "and ended with 0" 0 "$(docker inspect -f '{{.State.ExitCode}}' "$container")"
}

# check_doctor executes the line of docs/guide-doctor.md in a running example, and a case of it once more, as its README says. The
# app wants a signature: it is reached, and says no.
check_doctor() {
  local line
  # shellcheck disable=SC2016 # the backquotes are Markdown's
  line=$(grep -o '`docker compose exec mocksrv mocksrv doctor [^`]*`' docs/guide-doctor.md | tr -d '`')
  [ -n "$line" ] || fail "docs/guide-doctor.md has no line for docker compose exec"
  compose up --no-build --detach mocksrv papers app >"$work/compose" 2>&1 || { cat "$work/compose" >&2; fail "the compose example does not start"; }
  for _ in $(seq 100); do # the app's container has started, and the app is about to
    (cd examples/compose && COMPOSE_PROJECT_NAME=$project MOCKSRV_IMAGE=$image bash -c "$line") >"$work/doctor" 2>&1 </dev/null || true
    if grep -q '^cause: unauthorized$' "$work/doctor"; then break; fi
    sleep 0.1
  done
  if ! grep -q '^  dns      ok ' "$work/doctor" || ! grep -q '^cause: unauthorized$' "$work/doctor"; then
    cat "$work/doctor" >&2
    fail "$line"
  fi
  ok "$line"
  compose run --rm test test --target http://mocksrv:8080 --sandbox default --run '/hsrcpay$' /scenarios >"$work/again" 2>&1 </dev/null ||
    { cat "$work/again" >&2; fail "one case of the compose example"; }
  grep -q '^1 passed, 0 failed' "$work/again" || { cat "$work/again" >&2; fail "one case of the compose example"; }
  ok "one case of the compose example"
}

# check_guide executes docs/guide-container.md from its second block on, in an empty folder, on free ports.
check_guide() {
  local plain secure
  plain=$(free_port)
  secure=$(free_port)
  containers+=(mocksrv-container-guide)
  sed "s/127\.0\.0\.1:8080/127.0.0.1:$plain/g; s/127\.0\.0\.1:8443/127.0.0.1:$secure/g; s/^IMAGE=mocksrv$/IMAGE=$image/
    s/--name mocksrv /--name mocksrv-container-guide /; s/ mocksrv)\"/ mocksrv-container-guide)\"/; s/ mocksrv >/ mocksrv-container-guide >/
    s/ mocksrv$/ mocksrv-container-guide/; s/mocksrv-guide/mocksrv-container-guide/" docs/guide-container.md |
    python3 scripts/blocks.py 2 >"$work/guide.sh"
  mkdir "$work/empty"
  (cd "$work/empty" && no_proxy='*' bash "$work/guide.sh") >"$work/guide" 2>&1 || { cat "$work/guide" >&2; fail "docs/guide-container.md"; }
  ok "docs/guide-container.md: $(tail -1 "$work/guide")"
}

# check_readme runs the lines of the README's container section on a clone, as they stand there but for tag and port.
check_readme() {
  local build start port lines
  port=$(free_port)
  lines=$(sed -n '/^## In a container/,/^An app with/s/^    //p' README.md)
  build=$(grep '^docker build ' <<<"$lines") || fail "the README has no docker build"
  start=$(grep '^docker run ' <<<"$lines") || fail "the README has no docker run"
  git clone --quiet --no-hardlinks . "$work/clone/mocksrv"
  (cd "$work/clone" && eval "${build/-t mocksrv /-t $image }") >"$work/readme" 2>&1 || { cat "$work/readme" >&2; fail "README: $build"; }
  ok "README: $build"
  start=${start/docker run/docker run --detach}
  start=${start/:8080:8080 mocksrv/:$port:8080 $image}
  container=$(eval "$start")
  containers+=("$container")
  becomes healthy
  curl -fsS --noproxy '*' "http://127.0.0.1:$port/_mocksrv/v1/sandboxes/default" | grep -q secret_key || fail "README: ${start}: no credentials"
  ok "README: $start"
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

check_testcontainers() {
  # Ryuk, which would clean up, is an image of its own to pull: here the tests do it.
  MOCKSRV_IMAGE=$image TESTCONTAINERS_RYUK_DISABLED=true go -C contrib/testcontainers test -count 1 ./... >"$work/test" 2>&1 ||
    { cat "$work/test" >&2; fail "contrib/testcontainers"; }
  ok "contrib/testcontainers: $(tail -1 "$work/test" | xargs)"
}

figures=
use_docker
remember_images
for part in check_image check_container start_times check_readme check_guide check_compose check_doctor check_testcontainers; do
  from=$SECONDS
  "$part"
  echo "      ($part: $((SECONDS - from)) s)"
done
printf '\n%s' "$figures"
