"""The settings of NumPy, torch and IPython that the notebooks were written for.

An IPython start-up file may have set others: ``np.seterr(all="raise")``, a default dtype, a number
of digits. A cell would then print something else, or fail, and not because the reader is wrong.
"""

import sys

from .optional import excuse_what_is_missing


def use_default_settings() -> None:
    """Put NumPy's, torch's and IPython's settings back to those that a fresh kernel has.

    The notebooks call it first, for the session that they run in; no file is changed. Figures need
    no such call: each is drawn within the style of the course. Libraries that are not loaded are
    not loaded by it. In a light installation cells that need more say so from then on (`optional`).

    Examples
    --------
    >>> import numpy as np
    >>> np.set_printoptions(precision=2)
    >>> use_default_settings()
    >>> print(np.array([2 / 3]))
    [0.66666667]
    """
    for name, reset in (("numpy", _numpy), ("torch", _torch), ("IPython", _ipython)):
        if name in sys.modules:
            reset()


def _numpy() -> None:
    import numpy as np

    np.seterr(divide="warn", over="warn", under="ignore", invalid="warn")
    np.seterrcall(None)
    np.set_printoptions(
        precision=8,
        threshold=1000,
        edgeitems=3,
        linewidth=75,
        suppress=False,
        nanstr="nan",
        infstr="inf",
        sign="-",
        formatter=None,
        floatmode="maxprec",
        legacy=False,
    )


def _torch() -> None:
    import torch

    torch.set_default_dtype(torch.float32)
    torch.set_default_device("cpu")
    torch.set_printoptions(profile="default")
    torch.set_grad_enabled(True)
    torch.set_flush_denormal(False)
    torch.set_float32_matmul_precision("highest")
    torch.use_deterministic_algorithms(False)
    torch.autograd.set_detect_anomaly(False)


def _ipython() -> None:
    from IPython import get_ipython

    shell = get_ipython()
    if shell is not None:
        shell.ast_node_interactivity = "last_expr"
        plain = shell.display_formatter.formatters["text/plain"]
        plain.float_precision, plain.pprint = "", True
        excuse_what_is_missing(shell)
