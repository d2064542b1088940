"""Settings of all tests."""

from hypothesis import settings

# The same examples every time, on any machine, and no clock: a red test is red for everybody.
settings.register_profile("same", derandomize=True, deadline=None, database=None)
settings.load_profile("same")
