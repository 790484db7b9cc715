"""What autograd keeps for backward, read off its graph.

Hooks on saved tensors would be simpler, but torch then no longer notices that a saved tensor was changed in place. So the nodes
themselves are looked at, right after each was made, without unpacking what they saved. What functions written in C++ save, and
in-place operators on views, cannot be looked at; non-reentrant checkpointing keeps the inputs it runs again with outside of the
graph. All of these are in the peak of live bytes.
"""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import torch
from torch.autograd.function import BackwardCFunction

from dispatchcount.capture.key import tensors_in
from dispatchcount.capture.observers.storages import Live, Storage
from dispatchcount.capture.torch_private import (
    current_node,
    graph_task,
    keeps_graph,
    next_sequence,
    sequence_of,
)

if TYPE_CHECKING:
    from dispatchcount.capture.attribution import Attribution
    from dispatchcount.capture.modules import Info

READABLE = hasattr(torch._C._autograd.SavedTensor, "data")
"""Whether this torch shows what a node saved without unpacking it (2.6 does not)."""

_REMEMBERED = 1 << 15

_TOPS = 1 << 10
"""Weak references to tensors kept before those of tensors that are gone are looked for."""

_fields: dict[type, tuple[str, ...]] = {}


class _Token:
    """Lives in a node's metadata, and so exactly as long as the node."""

    __slots__ = ("__weakref__",)


class _Hold(weakref.ref):  # type: ignore[type-arg]  # generic only to type checkers
    """A node's token, weakly, and what the node has saved.

    Attributes:
        sequence: the node's number. storages: what it has saved.
        taken: the token, once it was taken out of a node that runs and then lets go of what it saved.
    """

    __slots__ = ("sequence", "storages", "taken")

    def __init__(self, token: _Token, dead: Any, sequence: int) -> None:
        self.sequence = sequence
        self.storages: list[Storage] = []
        self.taken: _Token | None = None

    def __new__(cls, token: _Token, dead: Any, sequence: int) -> _Hold:
        return super().__new__(cls, token, dead)


class Saved:
    """Bytes of storage that autograd holds, by the module whose call made it save them. A storage saved twice counts once.

    Attributes:
        most: the most bytes at once, by module.
    """

    def __init__(self, live: Live, attribution: Attribution) -> None:
        self.most: dict[Info, int] = {}
        self._live = live
        self._attribution = attribution
        self._now: dict[Info, int] = {}
        self._fresh: list[Any] = []
        self._tops: dict[int, Any] = {}  # tensors that nodes were reached from, weakly, by id
        self._most_tops = _TOPS
        self._seen: set[int] = set()
        self._first = self._opened = next_sequence()
        self._holds: dict[int, _Hold] = {}
        self._gone: list[_Hold] = []  # nodes may die in any thread
        self._running: dict[int, int | None] = {}
        self._anchor = (
            object()
        )  # the key of all tokens: whatever refers to it is some node's metadata
        self._unanchored = sys.getrefcount(self._anchor)

    def ran(self, args: Any, out: Any) -> None:
        """An operator ran. Its autograd node is made once it is back with torch, so its results are kept, weakly, till then.

        Only where they will have a node: torch refuses to swap two tensors of which one has weak references.
        """
        if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors_in(args)):
            self._fresh = [weakref.ref(tensor) for tensor in tensors_in(out)]

    def look(self) -> None:
        """Look at the nodes made, run and freed since the last time."""
        fresh, self._fresh = self._fresh, []
        for reference in fresh:
            tensor = reference()
            if tensor is not None:
                self.reach(tensor)
        task = graph_task()
        if task != -1 or self._running:
            self._watch_backward(task)
        while self._gone:
            self._release(self._gone.pop())

    def reach(self, tensor: torch.Tensor) -> None:
        """Look at the graph that ends in a tensor. A view's is left to whoever uses it: asking may make torch change it."""
        if not tensor._is_view() and tensor.grad_fn is not None:
            self._tops[id(tensor)] = weakref.ref(tensor)
            if len(self._tops) > self._most_tops:
                self._tops = {key: top for key, top in self._tops.items() if top() is not None}
                self._most_tops = _TOPS + 2 * len(self._tops)
            self._scan(tensor.grad_fn, complete=False)

    def died(self, storage: Storage) -> None:
        """A storage is gone, so nothing holds it."""
        if storage.saver is not None:
            self._now[storage.saver] -= storage.saved
            storage.saver = None

    def _watch_backward(self, task: int) -> None:
        """What a node saved is freed when it has run, unless the backward keeps its graph."""
        for other in [known for known in self._running if known > task or task == -1]:
            self._finished(self._running.pop(other))
        node = current_node() if task != -1 else None
        if node is not None:
            self._scan(node, complete=True)
            sequence = sequence_of(node)
            if self._running.get(task) != sequence:
                self._finished(self._running.get(task))
                self._running[task] = sequence = None if keeps_graph() else sequence
                hold = None if sequence is None else self._holds.get(sequence)
                if hold is not None:
                    hold.taken = node.metadata.pop(self._anchor, None)

    def _finished(self, sequence: int | None) -> None:
        hold = None if sequence is None else self._holds.get(sequence)
        if hold is not None:
            self._release(hold)

    def _scan(self, top: Any, complete: bool) -> None:
        """Look at a node and all below it, oldest first, so that what several saved is the first one's.

        Unless `complete`, `top` may not have saved everything yet (hooks on saved tensors run operators while it does) and is
        looked at once more when another node or a backward leads to it.
        """
        stack, found = [top], {}
        while stack:
            node = stack.pop()
            sequence = sequence_of(node)
            if sequence is None or sequence < self._first or sequence in self._seen:
                continue
            if complete or node is not top:
                self._seen.add(sequence)
            found[sequence] = node
            stack += [below for below, _ in node.next_functions if below is not None]
        for sequence in sorted(found):
            self._hold(found[sequence], sequence)
        if len(self._seen) > _REMEMBERED:  # nodes that old are known, or will not be found any more
            self._first = max(self._seen) - _REMEMBERED // 2
            self._seen = {sequence for sequence in self._seen if sequence >= self._first}

    def _hold(self, node: Any, sequence: int) -> None:
        saved = {
            storage: None
            for tensor in _saved(node)
            for storage in self._live.touch(tensor)
            if not storage.given
        }
        if not saved:
            return
        hold = self._holds.get(sequence)
        if hold is None:
            token = node.metadata[self._anchor] = _Token()
            hold = self._holds[sequence] = _Hold(token, self._gone.append, sequence)
        info = self._attribution.maker(sequence).info
        for storage in saved:
            if storage in hold.storages:
                continue
            hold.storages.append(storage)
            storage.holders += 1
            if storage.saver is None:
                storage.saver, storage.saved = info, storage.nbytes
                self._now[info] = self._now.get(info, 0) + storage.saved
        self.most[info] = max(self.most.get(info, 0), self._now.get(info, 0))

    def _release(self, hold: _Hold) -> None:
        if self._holds.get(hold.sequence) is hold:
            del self._holds[hold.sequence]
            for storage in hold.storages:
                storage.holders -= 1
                if not storage.holders:
                    self.died(storage)

    def close(self) -> None:
        """Leave nothing in the nodes that are still alive, and forget all but the sums."""
        self._take_out()
        if (
            sys.getrefcount(self._anchor) > self._unanchored
        ):  # nodes that no tensor seen leads to any more
            for place in gc.get_referrers(self._anchor):
                if type(place) is dict:
                    place.pop(self._anchor, None)
        self._holds.clear()
        self._gone.clear()
        self._fresh.clear()
        self._tops.clear()
        self._seen.clear()

    def _take_out(self) -> None:
        """Take the tokens out of the nodes that the tensors still alive lead to.

        Nodes cannot be held on to till then, and searching the process's objects for their metadata takes time by its heap.
        """
        left = {sequence for sequence, hold in self._holds.items() if hold.taken is None}
        tops = [tensor for top in self._tops.values() if (tensor := top()) is not None]
        stack = [tensor.grad_fn for tensor in tops if not tensor._is_view()]
        met = set()
        while stack and left:
            node = stack.pop()
            sequence = None if node is None else sequence_of(node)
            if sequence is None or sequence < self._opened or sequence in met:
                continue
            met.add(sequence)
            if sequence in left and node.metadata.pop(self._anchor, None) is not None:
                left.discard(sequence)
            stack += [below for below, _ in node.next_functions]


def _saved(node: Any) -> Iterator[torch.Tensor]:
    """The tensors a node has saved; where hooks of the user's packed them, those in what the hooks made of them."""
    if isinstance(node, BackwardCFunction):
        names: tuple[str, ...] = ("_raw_saved_tensors",)
    else:
        kind = type(node)
        if kind not in _fields:
            _fields[kind] = tuple(name for name in dir(kind) if name.startswith("_raw_saved_"))
        names = _fields[kind]
    for name in names:
        with suppress(RuntimeError, AttributeError):  # released already
            values = getattr(node, name)
            for value in values if isinstance(values, tuple) else (values,):
                yield from tensors_in(value.data)
