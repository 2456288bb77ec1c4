"""Train the voxel reconstructor: 3D-RecGAN++ from one 2.5D grid to the whole shape."""
