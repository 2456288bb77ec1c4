#!/bin/sh
# Resolves everything once (dev.in), then cuts each stack's lock out of that one resolution, so that all stacks agree.
# Needs uv. torch's CPU build is chosen where pip finds it (see README); the lock names the version alone.
set -eu
cd "$(dirname "$0")"
compile() { uv pip compile --quiet --python-version 3.11 --no-header --no-annotate "$@"; sed -i 's/^torch==\([0-9.]*\)+cpu/torch==\1/' "$3"; }
compile dev.in -o dev.txt
for stack in base blender torch tensorflow local; do compile "$stack.in" -o "$stack.txt" -c dev.txt; done
