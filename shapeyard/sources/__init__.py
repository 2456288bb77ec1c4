"""Where meshes come from: buckets, folders, the procedural catalogue."""
