"""Bring the meshes of one shard, look at each, keep the usable ones."""
