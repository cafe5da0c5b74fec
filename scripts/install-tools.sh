#!/usr/bin/env bash
# Installs what `make lint` and `make test` need and this machine lacks.
#   scripts/install-tools.sh lint   golangci-lint, the pinned version, built into ./bin
#   scripts/install-tools.sh test   the programs that tests and examples call, as Debian packages
# What is there already is left alone; where packages cannot be installed, it says which are missing and fails.
set -euo pipefail
cd "$(dirname "$0")/.."

golangci_version=v2.15.0

lint() {
  if bin/golangci-lint version 2>/dev/null | grep -q "version ${golangci_version#v} "; then
    return
  fi
  echo "building golangci-lint $golangci_version into bin/ (once; some minutes)"
  GOBIN="$PWD/bin" go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$golangci_version"
}

# missing prints the packages of the programs that are not there. The race detector wants a C compiler and library.
missing() {
  local program
  for program in "gcc=gcc libc6-dev" curl=curl jq=jq openssl=openssl node=nodejs python3=python3 perl=perl; do
    command -v "${program%%=*}" >/dev/null || printf '%s ' "${program#*=}"
  done
}

install_packages() {
  local as_root=
  if [ "$(id -u)" != 0 ]; then
    as_root=sudo
  fi
  if ! command -v apt-get >/dev/null || { [ -n "$as_root" ] && ! command -v sudo >/dev/null; }; then
    echo "please install: $1" >&2
    exit 1
  fi
  echo "installing: $1"
  $as_root apt-get -qq update
  # shellcheck disable=SC2086 # a list of names
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $1
}

case "${1:-}" in
  lint) lint ;;
  test)
    packages=$(missing)
    if [ -n "$packages" ]; then
      install_packages "$packages"
    fi
    ;;
  *)
    echo "usage: scripts/install-tools.sh lint|test" >&2
    exit 2
    ;;
esac
