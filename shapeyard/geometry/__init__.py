"""Frames, cameras, voxels: numpy-level geometry."""
