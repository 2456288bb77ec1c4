"""`python -m launch` is the command `shapeyard`."""

from launch.cli import main

main()
