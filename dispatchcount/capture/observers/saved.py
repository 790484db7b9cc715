"""What autograd keeps for backward, read off its graph.

Hooks on saved tensors would be simpler, but under them torch no longer notices that a saved tensor
was changed in place. So the autograd nodes themselves are looked at, right after each was made,
without unpacking what they saved.

Some of what is kept cannot be seen so: what autograd functions written in C++ save, what in-place
operators on views save, and the inputs that non-reentrant checkpointing keeps outside of the graph.
All of these are in the peak of live bytes.

Nothing here may keep a node alive, for a node keeps what it saved alive. So a node is known by its
sequence number, and its end by a token: a small object that is put into the node's ``metadata``,
lives as long as the node, and is referred to weakly from here.
"""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.autograd.graph import Node as AutogradNode

from dispatchcount.capture.observers.storages import Live, Storage
from dispatchcount.capture.tensors import tensors_in
from dispatchcount.capture.torch_private import (
    current_node,
    graph_task,
    is_view,
    keeps_graph,
    next_sequence,
    saved_by,
    sequence_of,
)

if TYPE_CHECKING:
    from dispatchcount.capture.attribution import Attribution
    from dispatchcount.capture.modules import Info

_REMEMBERED = 1 << 15
"""Numbers of nodes that were looked at; with more, the older half is forgotten."""

_TOPS = 1 << 10
"""Weak references to tensors; with more, those to tensors that are gone are dropped."""


class _Token:
    """Lives in a node's metadata, and so exactly as long as the node."""

    __slots__ = ("__weakref__",)


class _Hold(weakref.ref):  # type: ignore[type-arg]  # generic only to type checkers
    """What one node has saved, as a weak reference to the node's token.

    Attributes:
        sequence: the node's number.
        storages: what the node has saved.
        taken: the token, once it was taken out of the node. This is done when the node runs and is
            about to let go of what it saved, so nothing is left in it.
    """

    __slots__ = ("sequence", "storages", "taken")

    def __init__(self, token: _Token, dead: Callable[[_Hold], None], sequence: int) -> None:
        self.sequence = sequence
        self.storages: list[Storage] = []
        self.taken: _Token | None = None

    def __new__(cls, token: _Token, dead: Callable[[_Hold], None], sequence: int) -> _Hold:
        """`dead` is called with this reference when the token's node is freed."""
        return super().__new__(cls, token, dead)


class Saved:
    """Bytes of storage that autograd holds, by the module whose call made it save them.

    A storage that several nodes saved counts once, for the module of the first.

    Attributes:
        most: the most bytes at once, by module.
    """

    def __init__(self, live: Live, attribution: Attribution) -> None:
        """Nodes made from now on are looked at.

        Args:
            live: the storages of the block, which gets to know those that nodes have saved.
            attribution: knows which module call made a node.
        """
        self.most: dict[Info, int] = {}
        self._live = live
        self._attribution = attribution
        self._now: dict[Info, int] = {}
        self._fresh: list[weakref.ref[Tensor]] = []  # results of the latest operator
        # Tensors that nodes were reached from, by id. `close` reaches the nodes from them again.
        self._tops: dict[int, weakref.ref[Tensor]] = {}
        self._most_tops = _TOPS
        # Numbers of nodes that were looked at, none below `_first`: nodes as old as that are known,
        # or were made before the block.
        self._seen: set[int] = set()
        self._first = self._opened = next_sequence()
        self._holds: dict[int, _Hold] = {}
        self._gone: list[_Hold] = []  # of nodes that died; they may do so in any thread
        self._running: dict[int, int | None] = {}  # the node that runs, by backward pass
        # The key of all tokens in the nodes' metadata. Whatever refers to it, beyond what does so
        # now, is the metadata of some node.
        self._anchor = object()
        self._unanchored = sys.getrefcount(self._anchor)

    def ran(self, args: Any, out: Any) -> None:
        """An operator ran.

        Its autograd node is made once the operator is back with torch, so its results are kept,
        weakly, until the next look. They are kept only where they will have a node: torch refuses
        to swap two tensors of which one has weak references.
        """
        if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors_in(args)):
            self._fresh = [weakref.ref(tensor) for tensor in tensors_in(out)]

    def look(self) -> None:
        """Look at the nodes made, run and freed since the last time."""
        # 1. Nodes made: those of the latest results.
        fresh, self._fresh = self._fresh, []
        for reference in fresh:
            tensor = reference()
            if tensor is not None:
                self.reach(tensor)
        # 2. Nodes run by a backward pass.
        task = graph_task()
        if task != -1 or self._running:
            self._watch_backward(task)
        # 3. Nodes freed.
        while self._gone:
            self._release(self._gone.pop())

    def reach(self, tensor: Tensor) -> None:
        """Look at the graph that ends in a tensor.

        The graph of a view is left to whatever uses the view: asking for it may make torch change
        it.
        """
        if not is_view(tensor) and tensor.grad_fn is not None:
            self._tops[id(tensor)] = weakref.ref(tensor)
            if len(self._tops) > self._most_tops:
                self._tops = {key: top for key, top in self._tops.items() if top() is not None}
                self._most_tops = _TOPS + 2 * len(self._tops)
            self._scan(tensor.grad_fn, complete=False)

    def died(self, storage: Storage) -> None:
        """A storage is gone, or no node holds it any more: take it off its module's bytes."""
        if storage.saver is not None:
            self._now[storage.saver] -= storage.saved
            storage.saver = None

    def _watch_backward(self, task: int) -> None:
        """Follow which node runs: what it saved is freed when it has run.

        Args:
            task: the backward pass that this thread is in; -1 for none.
        """
        # Passes that this one is not inside of are over, and so are their last nodes. A pass that
        # is started inside another has the higher number.
        for other in [known for known in self._running if known > task or task == -1]:
            self._finished(self._running.pop(other))
        node = current_node() if task != -1 else None
        if node is None:
            return
        # It may have been looked at before it had saved everything, or not at all.
        self._scan(node, complete=True)
        sequence = sequence_of(node)
        if self._running.get(task) == sequence:
            return  # this is not its first operator
        # Another node runs now, so the one before it has run.
        self._finished(self._running.get(task))
        # In a pass that keeps its graph, nodes let go of nothing.
        self._running[task] = sequence = None if keeps_graph() else sequence
        hold = None if sequence is None else self._holds.get(sequence)
        if hold is not None:
            hold.taken = node.metadata.pop(self._anchor, None)

    def _finished(self, sequence: int | None) -> None:
        """The node of that number has run and let go of what it saved; None for no node."""
        hold = None if sequence is None else self._holds.get(sequence)
        if hold is not None:
            self._release(hold)

    def _scan(self, top: AutogradNode, complete: bool) -> None:
        """Look at a node and all below it.

        Args:
            top: the node.
            complete: True if it has saved everything that it will. Otherwise it is looked at once
                more, when another node or a backward pass leads to it: hooks on saved tensors run
                operators while a node saves.
        """
        # 1. Find the nodes that were not looked at yet, from the top down.
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
        # 2. Read what they saved, oldest first, so that what several saved is the first one's.
        for sequence in sorted(found):
            self._hold(found[sequence], sequence)
        # 3. Forget the older numbers. Nodes that old are known, or will not be found any more.
        if len(self._seen) > _REMEMBERED:
            self._first = max(self._seen) - _REMEMBERED // 2
            self._seen = {sequence for sequence in self._seen if sequence >= self._first}

    def _hold(self, node: AutogradNode, sequence: int) -> None:
        """Note what a node has saved."""
        # 1. Its storages, each once. Parameters are not memory that is kept for backward.
        saved = {
            storage: None
            for value in saved_by(node)
            for tensor in tensors_in(value)
            for storage in self._live.touch(tensor)
            if not storage.given
        }
        if not saved:
            return
        # 2. The first time, a token in the node is to tell its end.
        hold = self._holds.get(sequence)
        if hold is None:
            token = node.metadata[self._anchor] = _Token()
            hold = self._holds[sequence] = _Hold(token, self._gone.append, sequence)
        # 3. Add what is new to the bytes of the module that made the node.
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
        """A node has let go of what it saved. Doing it twice changes nothing."""
        if self._holds.get(hold.sequence) is hold:
            del self._holds[hold.sequence]
            for storage in hold.storages:
                storage.holders -= 1
                if not storage.holders:
                    self.died(storage)

    def close(self) -> None:
        """Leave nothing in the nodes that are still alive, and forget all but the sums."""
        self._take_out()
        # Tokens may be left in nodes that no tensor seen leads to any more. Their metadata refer to
        # the anchor, so it is referred to more often than at first.
        if sys.getrefcount(self._anchor) > self._unanchored:
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

        `close` could leave it all to the search through the process's objects, but that takes time
        by their number.
        """
        left = {sequence for sequence, hold in self._holds.items() if hold.taken is None}
        tops = [tensor for top in self._tops.values() if (tensor := top()) is not None]
        stack = [tensor.grad_fn for tensor in tops if not is_view(tensor)]
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
