"""What a stored notebook must be: rules that read the file, as pytest tests.

`reading` has the notebook as the rules see it, `running`, `outputs`, `prose` and `stubs` the rules,
`perturbing` the runs under other threads and hash seeds, `settings` what pyproject.toml says, and
`plugin` what pytest calls.
"""

__version__ = "0.1.0"
