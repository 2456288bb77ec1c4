#!/bin/sh
# The Dockerfiles' base image, for a machine that reaches no image registry: Debian bookworm from the machine's own mirror
# with its Python 3.11, under the name that the Dockerfiles start from. Needs root, debootstrap and a running engine.
#
#     docker/base-image.sh [NAME]        MIRROR: where packages come from; CA_BUNDLE: certificates to trust
set -eu
name=${1:-python:3.11-slim-bookworm}
mirror=${MIRROR:-http://deb.debian.org/debian}
bundle=${CA_BUNDLE:-/etc/ssl/certs/ca-certificates.crt}
if docker image inspect "$name" >/dev/null 2>&1; then
  echo "$name is there already"
  exit 0
fi
root=$(mktemp -d "${TMPDIR:-/var/tmp}/base-image.XXXXXX")
trap 'rm -rf "$root"' EXIT
debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv bookworm "$root" "$mirror" >"$root.log" 2>&1 || {
  tail -n 3 "$root.log" >&2
  echo "base-image.sh: debootstrap could not make Debian bookworm from $mirror (log: $root.log)" >&2
  exit 1
}
rm -f "$root.log"
# After ca-certificates, whose installation writes the file: the machine's mirror and index may have certificates of their own.
cp "$bundle" "$root/etc/ssl/certs/ca-certificates.crt"
printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n' >"$root/etc/pip.conf"
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/* "$root"/usr/share/doc/* "$root"/usr/share/man/* \
  "$root"/usr/share/locale/*
tar -C "$root" -c . | docker import --change 'CMD ["python3"]' --message "debootstrap bookworm from $mirror" - "$name" >/dev/null
docker image inspect --format '{{index .RepoTags 0}} {{.Size}} bytes' "$name"
