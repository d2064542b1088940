"""Loops that ask for gradients themselves, replayed: each time they ask, a step has been taken."""

import contextvars
import inspect
import queue
import threading
import weakref
from collections.abc import Iterator, Mapping
from typing import Any

from numpy.typing import NDArray

from .base import Arrays, Convention, LoopEnded, Misfit, Step, read
from .names import PARAMETERS, Argument, called, defaults_of, hyperparameters, options_of
from .sides import Side, side_of
from .sources import asks_late, modules_of, name_of
from .values import Reading

PATIENCE = 30.0  # seconds until a loop that asks for nothing is given up
ENOUGH = 20_000  # steps that a loop is told to take


class Ended(BaseException):
    """Raised within the loop when no more steps are wanted; ``except Exception`` lets it pass."""


def asks_for_gradients(arguments: list[Argument], reading: Reading) -> str:
    """Name the argument that is called for the gradient; "" where there is none."""
    asked = [a for a in arguments if "called" in reading.under(a.name).get((), ())]
    if not reading.uses:  # no source: the names alone
        loops = "steps" in {a.role for a in arguments}
        asked = [
            a for a in arguments if a.role == "gradient function" or a.role == "gradient" and loops
        ]
    order = ["gradient function", "gradient", "gradients", "function", ""]
    required = [a for a in asked if a.required and a.role in order]
    return min(required, key=lambda a: order.index(a.role)).name if required else ""


def loop_conventions(
    x: Any, arguments: list[Argument], asked: str, reading: Reading, told: Mapping[str, Any]
) -> Iterator[Convention]:
    """Give the one convention of a loop that calls ``asked`` for its gradients."""
    options = options_of(arguments, told)
    late = asks_late(x, asked)
    pair = "unpacked" in reading.uses.get((asked, "()"), ())
    side = side_of(modules_of(x))

    def run(arrays: Arrays, now: Convention) -> Step:
        values = values_of(arguments, asked, options, side.leaf(arrays[0]))
        return replayed(Replay(x, asked, pair, values, side), late)

    shown = ", ".join(a.name for a in arguments if a.required)
    says = f"{name_of(x)}({shown}), a loop that calls {asked} for the gradient"
    defaults = {**defaults_of(arguments), **hyperparameters(options)}
    yield Convention(says, run, "one array", defaults, around=side.around)


def values_of(
    arguments: list[Argument], asked: str, options: Mapping[str, Any], start: Any
) -> dict[str, Any]:
    """Give the arguments of a loop: where it starts, and that it goes on for long."""
    values = dict(options)
    unknown = [a for a in arguments if a.required and not a.role and a.name != asked]
    starts = [a for a in arguments if a.role in PARAMETERS and a.required] or unknown
    for a in arguments:
        if a.name in values or a.name == asked:
            continue
        if starts and a.name == starts[0].name:
            values[a.name] = start
        elif a.role == "steps" or a.role == "t" and a.required:
            values[a.name] = ENOUGH
        elif a.role == "tolerance":
            values[a.name] = 0.0
        elif a.role in ("function", "gradient function") and a.required:
            values[a.name] = lambda *_: 0.0
        elif a.required:
            raise Misfit(f"nothing says what {a.name!r} is")
    return values


class Replay:
    """The two ends of a loop in its own thread: where it stands, and the gradient it waits for."""

    def __init__(
        self, function: Any, asked: str, pair: bool, values: dict[str, Any], side: Side
    ) -> None:
        self.function, self.asked, self.pair, self.values = function, asked, pair, values
        self.side = side
        self.places: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.grads: queue.Queue[NDArray | None] = queue.Queue()

    def gradient(self, theta: Any, *_: Any) -> Any:
        self.places.put(("asks", theta))
        grad = self.grads.get()
        if grad is None:
            self.grads.put(None)  # however often it asks
            raise Ended
        given = self.side.gradient(grad)
        return (0.0, given) if self.pair else given

    def run(self) -> None:
        try:
            with self.side.around():  # its own thread
                result = called(self.function, {**self.values, self.asked: self.gradient})
                if inspect.isgenerator(result):
                    for _ in result:
                        pass
            self.places.put(("ended", None))
        except Ended:
            self.places.put(("ended", None))
        except BaseException as error:
            self.places.put(("raised", error))

    def next(self) -> NDArray:
        """Wait until it asks; return where."""
        try:
            what, value = self.places.get(timeout=PATIENCE)
        except queue.Empty:
            raise TimeoutError(f"the loop asked for nothing within {PATIENCE:g} s") from None
        if what == "raised":
            raise value
        if what == "ended":
            raise LoopEnded("the loop ended by itself")
        return read(value)


def replayed(replay: Replay, late: bool) -> Step:
    """Start a loop in a thread that ends as soon as the step is dropped.

    ``late``: it has taken its step when it asks, with the gradients of the steps before.
    """
    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(replay.run,), daemon=True)
    thread.start()

    def step(grads: Arrays) -> Arrays:
        if late:
            place = replay.next()
            replay.grads.put(grads[0])
            return [place]
        replay.grads.put(grads[0])
        return [replay.next()]

    weakref.finalize(step, end, replay.grads, thread)
    if not late:
        replay.next()
    return step


def end(grads: "queue.Queue[NDArray | None]", thread: threading.Thread) -> None:
    """Tell the loop that it is enough, and wait for its thread."""
    grads.put(None)
    if thread is not threading.current_thread():
        thread.join(timeout=1.0)
