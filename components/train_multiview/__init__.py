"""Train 3D-R2N2: from one or several images of an object to its shape."""
