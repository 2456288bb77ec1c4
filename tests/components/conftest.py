"""Fixtures that the tests of several stages share."""

from analytic_shapes import write_shapes  # noqa: F401
