"""What a type checker knows of a user's program: `make lint` reads it, nothing runs it."""

from typing import assert_type

import numpy as np

import adamlib

theta = np.zeros(3)
optimizer = adamlib.Adam({"w": theta}, lr=0.1)
assert_type(optimizer, adamlib.Adam)
assert_type(adamlib.init_state(theta), adamlib.AdamState)
assert_type(adamlib.DIALECTS["keras"], adamlib.Dialect)
told = adamlib.identify(adamlib.Adam, lr=1e-3, betas=(0.9, 0.999), eps=1e-8)
assert_type(told, adamlib.Identification)
assert_type(told.names, tuple[str, ...])
