#!/usr/bin/env bash
# Tries a release without publishing anything: the configuration is valid, six archives and a Homebrew cask come out of it,
# each with its SBOM, the checksums are theirs, and the binary for this machine runs and says its version. CI does not run it: with an empty build
# cache it takes about five minutes on two cores. Left out here, as they want programs or accounts of their own: publishing,
# the image unless docker buildx answers (scripts/container.sh builds the same image).
#
#   scripts/release-check.sh
set -euo pipefail
cd "$(dirname "$0")/.."

goreleaser_version=v2.16.0

fail() { echo "FAIL  $*" >&2; exit 1; }
ok() { echo "ok    $*"; }

command -v go >/dev/null || { echo "go is needed" >&2; exit 2; }
if ! bin/goreleaser --version 2>/dev/null | grep -q "${goreleaser_version#v}"; then
  echo "building goreleaser $goreleaser_version into bin/ (once; some minutes)"
  GOBIN="$PWD/bin" go install "github.com/goreleaser/goreleaser/v2@$goreleaser_version"
fi

skip=publish
docker buildx ls >/dev/null 2>&1 && docker info >/dev/null 2>&1 || skip+=,docker
bin/goreleaser check
bin/goreleaser release --snapshot --clean "--skip=$skip"

archives=(dist/mocksrv_*_{linux,darwin}_{amd64,arm64}.tar.gz dist/mocksrv_*_windows_{amd64,arm64}.zip)
for archive in "${archives[@]}"; do
  [ -f "$archive" ] || fail "want an archive $archive, got none"
done
ok "six archives"
for document in dist/mocksrv_*_{linux,darwin,windows}_{amd64,arm64}.sbom.json; do
  grep -q '"name": "github.com/gorilla/mux"' "$document" || fail "the SBOM $document does not list github.com/gorilla/mux"
done
ok "six SBOMs"
(cd dist && sha256sum --check --quiet checksums.txt) || fail "the checksums are not those of the files"
ok "their checksums"
! command -v ruby >/dev/null || ruby -c dist/homebrew/Casks/mocksrv.rb >/dev/null || fail "the Homebrew cask is no Ruby"
[ -s dist/homebrew/Casks/mocksrv.rb ] || fail "no Homebrew cask"
ok "the Homebrew cask"
here=$(echo dist/mocksrv_*_"$(go env GOOS)_$(go env GOARCH)".tar.gz)
version=${here#dist/mocksrv_}
version=v${version%"_$(go env GOOS)_$(go env GOARCH).tar.gz"}
unpacked=$(mktemp -d)
trap 'rm -rf "$unpacked"' EXIT
tar -xzf "$here" -C "$unpacked"
[ "$("$unpacked/mocksrv" version)" = "mocksrv $version" ] || fail "want mocksrv $version, got $("$unpacked/mocksrv" version)"
ok "the binary says $version"
for file in README.md CHANGELOG.md docs/guide-container.md; do
  [ -s "$unpacked/$file" ] || fail "the archive has no $file"
done
ok "the archive has the documents"
echo "skipped: $skip"
