"""Tests of the tests: one small change of a module at a time, which some test has to find."""
