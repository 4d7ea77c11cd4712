"""What one training step does: its operators with work and traffic, and which storages live when."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from copy import copy
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._python_dispatch import TorchDispatchMode

from ...bench.sizes import sizes_of
from .costs import cost, moved, operator
from .kernels import with_workspace

OWN, CAST, GRADIENT, OTHER = 0, 1, 2, 3  # whose storage: weights, their copies in 16 bit, gradients, the rest
PHASES = ("forward", "backward", "optimizer")
_DEVICE = torch.ops.prim.device.default


class NotOnCpu(RuntimeError):
    """The network put a tensor on another device."""


class Event:
    """One operator that ran: what it is, what it costs, what of its results is kept, what lives after it."""

    __slots__ = (
        "block", "bytes", "dtype", "flops", "gradients", "kind", "made", "name", "other", "own", "phase",
        "saved", "saved_live", "shape", "square",
    )  # fmt: skip

    def __init__(self, phase: str, name: str, block: int) -> None:
        self.phase, self.name, self.block = phase, name, block
        self.kind, self.dtype, self.shape = "", "", (0, 0, 0)
        self.flops, self.bytes, self.saved = 0.0, 0, 0
        self.own: tuple[str, tuple[float, ...], str] = ("", (), "")  # as bench/sizes.py tells it
        self.made = 0  # bytes of results that were not there before
        self.square = 0.0  # of them, for the square of the batch (squares.py, which takes it off the rest)
        self.other = self.saved_live = self.gradients = 0  # bytes that live when it has run


class Store:
    """A storage that lives: whose it is, where it was made, whether it was saved for the backward pass."""

    __slots__ = ("block", "entered", "event", "kind", "nbytes", "saved")

    def __init__(self, kind: int, nbytes: int, event: Event | None, block: int) -> None:
        self.kind, self.nbytes, self.event, self.block, self.saved = kind, nbytes, event, block, False
        self.entered = False  # it came into a repeated block


class Recorder(TorchDispatchMode):  # type: ignore[misc]
    """Sees every operator of a step. `phase`, `block`: where the step is (block -1: outside of all)."""

    def __init__(self) -> None:
        super().__init__()
        self.phase, self.block = "forward", -1
        self.stores: dict[int, Store] = {}
        self.live = [0, 0, 0, 0]
        self.saved_live = 0
        self.casts_peak = 0
        self.events: list[Event] = []
        self.views = dict.fromkeys(PHASES, 0)  # calls that compute nothing
        self.kept = 0  # saved for the backward pass, each storage once
        self.kept_so_far = 0  # of it: when the last block was left
        self.kept_inside: dict[int, int] = {}  # of it: made within each block
        self.block_inputs = 0
        self.at_update = [0, 0, 0, 0]  # what lives when the optimizer begins
        self._watched: dict[int, Any] = {}

    # ---- storages --------------------------------------------------------------------------------------

    def own(self, tensors: Iterator[Any]) -> None:
        """Weights and buffers: there before the step and after it."""
        for tensor in tensors:
            self._enter(tensor.untyped_storage(), OWN, None)

    def given(self, tensors: list[Any]) -> None:
        """The batch."""
        for tensor in tensors:
            self._enter(tensor.untyped_storage(), OTHER, None)

    def _enter(self, storage: Any, kind: int, event: Event | None) -> Store | None:
        key = storage._cdata
        known = self.stores.get(key)
        if known is not None:
            return None
        nbytes = storage.nbytes()
        store = self.stores[key] = Store(kind, nbytes, event, self.block)
        self.live[kind] += nbytes

        def gone(_: Any, key: int = key, store: Store = store) -> None:
            self._leave(key, store)

        self._watched[key] = weakref.ref(storage, gone)
        return store

    def _leave(self, key: int, store: Store) -> None:
        if self.stores.get(key) is store:
            del self.stores[key]
            self._watched.pop(key, None)
        self.live[store.kind] -= store.nbytes
        if store.saved:
            self.saved_live -= store.nbytes

    def gradient(self, weight: Any) -> None:
        """The gradient of a weight is complete: from now on it stands until it is used."""
        if weight.grad is None:
            return
        for part in parts(weight.grad):
            store = self.stores.get(part.untyped_storage()._cdata)
            if store is not None and store.kind == OTHER:
                self._now_gradient(store)

    def _now_gradient(self, store: Store) -> None:
        self.live[OTHER] -= store.nbytes
        self.live[GRADIENT] += store.nbytes
        store.kind = GRADIENT
        for event in reversed(self.events):  # it was one from when it was made
            event.other -= store.nbytes
            event.gradients += store.nbytes
            if event is store.event or event.phase != "backward":
                break

    def pack(self, tensor: Any) -> Any:
        """Called for every tensor that autograd saves."""
        for part in parts(tensor):
            self._saved(part)
        return tensor

    def _saved(self, tensor: Any) -> None:
        key = tensor.untyped_storage()._cdata
        store = self.stores.get(key)
        if store is None:
            store = self._enter(tensor.untyped_storage(), OTHER, None)
        if store is not None and not store.saved and store.kind == OTHER:
            store.saved = True
            self.kept += store.nbytes
            self.saved_live += store.nbytes
            if store.event is not None:
                store.event.saved += store.nbytes
            if store.block >= 0:
                self.kept_inside[store.block] = self.kept_inside.get(store.block, 0) + store.nbytes

    def enters_block(self, block: int, tensors: list[Any]) -> None:
        """A repeated block begins: what comes into it would be kept if it were recomputed."""
        self.block = block
        for tensor in tensors:
            store = self.stores.get(tensor.untyped_storage()._cdata)
            if store is not None and store.kind == OTHER and not store.entered:
                store.entered = True
                if store.block >= 0 or not store.saved:
                    self.block_inputs += store.nbytes

    # ---- operators -------------------------------------------------------------------------------------

    def updated_as(self, known: Recorder) -> None:
        """The update of a step of another batch is this one's too, but for what else lives beside it."""
        more = [here - there for here, there in zip(self.at_update, known.at_update)]
        for one in known.events:
            if one.phase == "optimizer":
                event = copy(one)
                event.other += more[OTHER]
                event.gradients += more[GRADIENT]
                event.saved_live = self.saved_live
                self.events.append(event)
        self.views["optimizer"] = known.views["optimizer"]

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        # Asked four times for every operator that runs, by fake tensors alone: no call of a real run.
        if func is _DEVICE and isinstance(args[0], FakeTensor):
            return args[0].fake_device
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        op = operator(func)
        if op.name == "mkldnn_rnn_layer":
            out = with_workspace(out, args)
        outputs = _tensors(out)
        if not op.skip:
            self._count(op, args, kwargs, out, outputs)
        else:
            self.views[self.phase] += 1
            for tensor in outputs:
                self._enter(tensor.untyped_storage(), OTHER, None)
        return out

    def _count(self, op: Any, args: Any, kwargs: Any, out: Any, outputs: list[Any]) -> None:
        tensors = _tensors(args)
        event = Event(self.phase, op.name, self.block)
        event.kind, event.flops, event.shape = cost(op, args, kwargs, out)
        told = tensors[0] if event.flops and tensors else outputs[0] if outputs else None
        if told is not None:
            if told.device.type not in ("cpu", "meta"):
                raise NotOnCpu(str(told.device))
            event.dtype = str(told.dtype)[6:]
        event.bytes = moved(tensors, outputs)
        event.own = sizes_of(op.name, args, kwargs, tensors, outputs)
        cast = op.name == "_to_copy" and tensors and self._kind_of(tensors[0]) == OWN
        for tensor in outputs:
            made = self._enter(tensor.untyped_storage(), CAST if cast else OTHER, event)
            event.made += made.nbytes if made is not None else 0
        live = self.live
        self.casts_peak = max(self.casts_peak, live[CAST])
        event.other, event.saved_live, event.gradients = live[OTHER], self.saved_live, live[GRADIENT]
        self.events.append(event)

    def _kind_of(self, tensor: Any) -> int:
        store = self.stores.get(tensor.untyped_storage()._cdata)
        return OTHER if store is None else store.kind


def _tensors(found: Any) -> list[Any]:
    """The tensors of an operator's arguments or results (which nest one deep at most)."""
    if isinstance(found, torch.Tensor):
        return parts(found)
    if not isinstance(found, (tuple, list)):
        return []
    tensors = []
    for item in found:
        if isinstance(item, torch.Tensor):
            tensors += parts(item)
        elif isinstance(item, (tuple, list)):
            tensors += [part for one in item if isinstance(one, torch.Tensor) for part in parts(one)]
    return tensors


def parts(tensor: Any) -> list[Any]:
    """What has the storages of a tensor: itself, or of a sparse one (gradients of embeddings) its values and
    their places.
    """
    return [tensor] if tensor.layout != torch.sparse_coo else [tensor._values(), tensor._indices()]
