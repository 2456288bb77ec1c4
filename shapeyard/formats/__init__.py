"""Files of other tools: meshes, binvox."""
