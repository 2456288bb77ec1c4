#!/bin/sh
# `make local-run`: an object store in a container, the procedural meshes in a bucket of it, and the pipeline's stages in
# containers beside it. Everything that was started is taken down at the end, however that comes about.
#
#     docker/local-run.sh BIN CATALOGUE BUCKET PRESET        BIN: where `shapeyard` is
set -eu
cd "$(dirname "$0")/.."
bin=$1 catalogue=$2 bucket=$3 preset=$4
: "${COMPOSE_PROJECT_NAME:?make sets it: a name of this checkout alone}"
compose() { "$bin/../lib/python3.11/site-packages/compose/docker-compose" --file docker/compose.yaml --progress quiet "$@"; }

SHAPEYARD_USER=$(id -u):$(id -g)
AWS_ACCESS_KEY_ID=$(od -An -N8 -tx1 /dev/urandom | tr -d ' ')
AWS_SECRET_ACCESS_KEY=$(od -An -N16 -tx1 /dev/urandom | tr -d ' ')
AWS_ENDPOINT_URL=http://store:8333
AWS_DEFAULT_REGION=us-east-1
export SHAPEYARD_USER AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_ENDPOINT_URL AWS_DEFAULT_REGION
unset AWS_SESSION_TOKEN AWS_PROFILE AWS_ENDPOINT_URL_S3

mkdir -p runs/.compose # Docker would make it, as root
exec 9>runs/.compose.lock
flock --nonblock 9 || { echo "another \`make local-run\` is using runs; wait for it" >&2; exit 1; }
trap 'compose down --volumes --remove-orphans --timeout 2' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
compose up --detach --wait store >&2
compose run --rm --no-TTY --entrypoint shapeyard fetch copy "$catalogue" "$bucket" >&2
"$bin/shapeyard" run reconstruct --runner docker --network "${COMPOSE_PROJECT_NAME}_default" --preset "$preset" --param "source=$bucket"
