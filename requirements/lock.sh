#!/bin/sh
# Resolves everything once (dev.in), then cuts each stack's lock out of that one resolution, so that all stacks agree.
# Needs uv, and torch's CPU build where uv finds it: UV_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu, or
# UV_FIND_LINKS=FOLDER. The locks name torch's version alone; the hash is what tells the CPU build from PyPI's.
set -eu
cd "$(dirname "$0")"
scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT
compile() { uv pip compile --quiet --python-version 3.11 --no-header --no-annotate --generate-hashes "$@"; }
sed -n 's/^torch==.*/&+cpu/p' torch.in >"$scratch/cpu.txt"
compile dev.in -o dev.txt -c "$scratch/cpu.txt"
for stack in base blender torch tensorflow containers local; do compile "$stack.in" -o "$stack.txt" -c dev.txt; done
sed -n '/+cpu/d; /^tensorflow-cpu=/d; s/^\([^ ]*==[^ ]*\).*/\1/p' dev.txt >"$scratch/same.txt"
sed -i '/^torch==/s/+cpu//' dev.txt torch.txt local.txt
# The GPU builds of two stacks: torch as PyPI has it.
unset UV_FIND_LINKS UV_EXTRA_INDEX_URL
for stack in torch-cuda tensorflow-cuda; do compile "$stack.in" -o "$stack.txt" -c "$scratch/same.txt"; done
