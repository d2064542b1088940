"""The public names, in reading order: a module imports only from those above it.

The one list of them. Type checkers read this file, and so do `__init__.py`, which loads each
name on first use, and the tests of the order.
"""

from . import state as state  # what Adam remembers, and the names that state dicts use
from .state import AdamState as AdamState

from . import checks as checks  # every refusal of a bad number, flag, choice or array
from . import tables as tables  # rows of text, for a terminal and for a notebook
from . import floats as floats  # what a dtype can hold: where eps vanishes, where g² underflows
from . import moments as moments  # one pure function per moment equation
from .moments import bias_correction as bias_correction
from .moments import ema as ema
from .moments import ema_weights as ema_weights

from . import dialects as dialects  # what each framework calls Adam, as data
from .dialects import DIALECTS as DIALECTS
from .dialects import Dialect as Dialect

from . import adam as adam  # one step of Adam, pure, for any array library
from .adam import adam_step as adam_step
from .adam import init_state as init_state

from . import kernels as kernels  # the step compiled with numba, where that is installed
from . import checkpoints as checkpoints  # state dicts and checkpoint files, checked, written whole
from . import conversion as conversion  # an eps, or a state, carried from one Adam to another
from .conversion import convert_eps as convert_eps
from .conversion import convert_state as convert_state

from . import optimizer as optimizer  # Adam for NumPy arrays, in place, with checkpoints
from .optimizer import Adam as Adam

from . import fused as fused  # the step compiled by torch, in C++ or Triton: fused=True
from . import pytorch as pytorch  # Adam and AdamW for torch, drop-in
from . import optional as optional  # what a light installation lacks, said in its place
from . import isolation as isolation  # somebody's code in a process of its own, in limited time
from . import guard as guard  # or in this one, which it does not disturb

from . import identification as identification  # which Adam is this function, or which mistake
from .identification import Identification as Identification
from .identification import identify as identify

from . import reporting as reporting  # what eps does in a run of your own, in numbers and words
from .reporting import Report as Report
from .reporting import report as report
from .reporting import suggest_eps as suggest_eps

from . import watching as watching  # the same, every so many steps of a training run
from .watching import watch as watch

from . import problems as problems  # what to minimise
from . import experiments as experiments  # run an optimizer on a problem and keep a trace
from . import distributed as distributed  # train on many processes, by DDP and FSDP2
from . import figures as figures  # draw a trace
from . import sliders as sliders  # move a slider, and a figure is redrawn
from . import exercises as exercises  # check an answer, take a hint, see the solution
from .exercises import check as check
from .exercises import hint as hint
from .exercises import solution as solution
from . import progress as progress  # which exercises are solved in learners' copies

from . import settings as settings  # the settings of NumPy, torch and IPython for the notebooks
from .settings import use_default_settings as use_default_settings

from . import doctor as doctor  # what is missing on this machine, and what to type

__version__: str
__all__: list[str]

def __dir__() -> list[str]: ...
