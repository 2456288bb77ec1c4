"""Meshes to occupancy grids, solid or surface."""
