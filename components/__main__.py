"""`python -m components` is the command `shapeyard`."""

from importlib.metadata import entry_points

(shapeyard,) = entry_points(group="console_scripts", name="shapeyard")
shapeyard.load()()
