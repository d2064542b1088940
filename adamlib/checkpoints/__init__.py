"""State dicts and files: checked whole before anything is taken over, written whole.

===========  ====================================================================================
``layout``   a state dict: torch's layout, read here for NumPy, torch and other libraries alike
``writing``  a path holds the old file or the new one, never half of one
``reading``  what is in a file, and how large, before anything of it is read
``files``    a checkpoint of `adamlib.Adam`: what belongs to it
===========  ====================================================================================
"""

from .files import describe_checkpoint, read_checkpoint, write_checkpoint
from .layout import (
    FOR_NUMPY,
    FOR_TORCH,
    Words,
    check_dict,
    check_like,
    checked_options,
    groups_and_states,
    parse_state_dict,
    read_entry,
    whole_step,
)
from .reading import read_whole
from .writing import as_path, write_whole

__all__ = [
    "FOR_NUMPY",
    "FOR_TORCH",
    "Words",
    "as_path",
    "check_dict",
    "check_like",
    "checked_options",
    "describe_checkpoint",
    "groups_and_states",
    "parse_state_dict",
    "read_checkpoint",
    "read_entry",
    "read_whole",
    "whole_step",
    "write_checkpoint",
    "write_whole",
]
