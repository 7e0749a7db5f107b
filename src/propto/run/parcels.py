"""What many jobs share is sent to every process once: parcels, named by what is in them."""

from __future__ import annotations

import hashlib
import importlib
import pickle
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from propto.errors import WorkerError

# A process keeps so many parcels open; the least recently used is forgotten, and sent again when missed.
LIMIT = 8

_opened: OrderedDict[str, Any] = OrderedDict()
_guard = threading.RLock()


class Address(NamedTuple):
    """The name of a parcel, and how to open it."""

    name: str
    opener: Callable[[bytes], Any]


class Parcel:
    """A value for jobs in other processes.

    Parameters
    ----------
    value
        What it stands for in this process.
    content
        What is sent; by default the value.
    opener
        A function of a module that makes the value there out of the pickled content.
    """

    def __init__(
        self, value: Any, content: Any = None, opener: Callable[[bytes], Any] = pickle.loads
    ) -> None:
        self.problem = ""
        try:
            self.packed = packed(value if content is None else content)
            name = hashlib.sha256(self.packed).hexdigest()
        except Exception as error:  # it may still do for an executor that stays in this process
            self.problem, name = f"{type(error).__name__}: {error}", uuid.uuid4().hex
        self.address = Address(name, opener)
        _keep(name, value)

    def sent(self) -> bytes:
        """The bytes."""
        if self.problem:
            raise WorkerError(
                f"the model cannot be sent to other processes ({self.problem}); "
                f"{'define it in a module' if _has_cloudpickle() else 'install cloudpickle'}, "
                "or use threads"
            )
        return self.packed

    def forget(self) -> None:
        """Let go of it in this process."""
        with _guard:
            _opened.pop(self.address.name, None)


class Missing(NamedTuple):
    """What a process answers that lacks parcels."""

    names: tuple[str, ...]


class Failed(NamedTuple):
    """What a process answers when the job itself has raised an error."""

    error: Exception


def packed(value: Any) -> bytes:
    """Pickled, functions of the moment included where cloudpickle is installed."""
    pickler = importlib.import_module("cloudpickle") if _has_cloudpickle() else pickle
    content: bytes = pickler.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    return content


def work(job: bytes, sent: Mapping[str, bytes]) -> Any:
    """Do a job where it has come to: its result, `Missing` or `Failed`."""
    try:
        function, args, *_ = pickle.loads(job)
        for address in (arg for arg in args if isinstance(arg, Address) and arg.name in sent):
            _open(address, sent[address.name])
        with _guard:
            wanted = {arg.name for arg in args if isinstance(arg, Address)}
            if missing := wanted - set(_opened):
                return Missing(tuple(sorted(missing)))
            args = [_taken(arg.name) if isinstance(arg, Address) else arg for arg in args]
        return function(*args)
    except Exception as error:
        return Failed(_that_travels(error))


def _open(address: Address, content: bytes) -> None:
    with _guard:  # so that what comes twice at once is opened once
        if address.name in _opened:
            return
        try:
            _keep(address.name, address.opener(content))
        except Exception as error:
            raise WorkerError(
                f"a worker cannot take in the model ({type(error).__name__}: {error}): every worker needs "
                "the same packages as this process, and modules of your own among them"
            ) from error


def _keep(name: str, value: Any) -> None:
    with _guard:
        _opened[name] = value
        while len(_opened) > LIMIT:
            _opened.popitem(last=False)


def _taken(name: str) -> Any:
    _opened.move_to_end(name)
    return _opened[name]


def _that_travels(error: Exception) -> Exception:
    """The error, or its words where it cannot be pickled."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return WorkerError(f"{type(error).__name__}: {error}")
    return error


def _has_cloudpickle() -> bool:
    try:
        importlib.import_module("cloudpickle")
    except ImportError:
        return False
    return True
