"""Meshes to samples of their signed distance, as DeepSDF trains on."""
