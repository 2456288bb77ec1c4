"""Meshes to colour and depth images, drawn by Blender's Cycles on the CPU."""
