"""Fixtures of these tests."""

from analytic_shapes import write_shapes  # noqa: F401
