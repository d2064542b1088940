"""Move a setting or a state from one Adam to another.

=============  ==============================================================================
``eps``        `convert_eps`: which eps of another dialect takes the same step
``state``      `convert_state`: what an optimizer remembers, in the layout of another library
``memory``     the layout of no library, between the two
``readers``    torch, adamlib, optax, Keras and hand-written code → memory
``writers``    and back
=============  ==============================================================================
"""

from .eps import convert_eps
from .state import convert_state

__all__ = ["convert_eps", "convert_state"]
