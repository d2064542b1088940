"""Settings of all tests."""

from hypothesis import settings

from fuzzing import MANY

# --doctest-modules imports what it finds. One is for mypy alone, and would run; the other needs
# Playwright, which only `make test-site` and its like install.
collect_ignore = ["typed_use.py", "browsers.py"]

# The same examples every time, on any machine, and no clock: a red test is red for everybody.
settings.register_profile("same", derandomize=True, deadline=None, database=None)
# Others every time, to find what nobody knows; what is printed repeats the case that failed.
settings.register_profile("fuzz", deadline=None, print_blob=True)
settings.load_profile("fuzz" if MANY else "same")
