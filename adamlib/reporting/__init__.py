"""What eps does in a run of your own: `report`, and `suggest_eps`.

===============  ===========================================================================
``rules``        what the last step of each kind of optimizer was made of
``numbers``      the columns: one pass over a state, block by block
``states``       how the state is got out of an optimizer of torch, adamlib, optax or Keras
``suggestions``  which eps the denominators ask for
``findings``     what there is to say, in words, with the table of thresholds
``reports``      the report
``comparing``    what changed from one report to a later one
``files``        the state from a checkpoint, of which nothing is run
``command``      ``python -m adamlib report``
``shown``        numbers as a reader takes them in
===============  ===========================================================================
"""

from .findings import KINDS, Finding, thresholds
from .reports import Report, report, suggest_eps
from .suggestions import Suggestion

__all__ = ["KINDS", "Finding", "Report", "Suggestion", "report", "suggest_eps", "thresholds"]
