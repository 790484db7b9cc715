"""`Meter`: what a plain training loop costs, and that it changes nothing in it."""

import copy
import json
import warnings

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

import dispatchcount as dc
from dispatchcount.integrations.clocks import EventClock
from dispatchcount.integrations.meter import Meter

CPU = dc.Device(peak={"float32": 1e12, "bfloat16": 4e12}, bandwidth=1e11, name="made-up")
SIZE = 64


def linear_step(rows, size=SIZE):
    """Flops of forward and backward of one square layer whose input needs no gradient."""
    return 2 * 2 * rows * size * size  # the product, and the gradient of the weight


class Loop:
    """A plain loop over a layer, as a user would write it."""

    def __init__(self, meter_options=None, net=None):
        torch.manual_seed(0)
        self.net = nn.Linear(SIZE, SIZE) if net is None else net
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.1)
        self.meter = dc.Meter(self.net, device=CPU, **(meter_options or {}))

    def run(self, batch):
        with self.meter.step(batch):
            self.net(batch).square().mean().backward()
            self.optimizer.step()
            self.optimizer.zero_grad()
        return self.meter.last


def test_the_first_step_is_counted_and_the_others_are_timed():
    loop = Loop()
    first = loop.run(torch.randn(8, SIZE))
    second = loop.run(torch.randn(8, SIZE))
    assert (first.counted, second.counted) == (1, 0)
    assert first.flops == second.flops == linear_step(8)
    assert second.mfu == pytest.approx(linear_step(8) / 1e12 / second.seconds)
    assert second.hfu == second.mfu
    assert second.flops_per_s == linear_step(8) / second.seconds
    assert second.tokens_per_s is None
    total = loop.meter.total
    assert (total.steps, total.counted, total.flops) == (2, 1, 2 * linear_step(8))
    # Rates are of the timed step alone: counting slowed the first one down.
    assert total.timed_seconds == second.seconds
    assert total.mfu == second.mfu


def test_a_new_signature_is_counted_once():
    loop = Loop()
    steps = [loop.run(torch.randn(rows, SIZE)) for rows in (8, 4, 8, 4, 4)]
    assert [step.counted for step in steps] == [1, 1, 0, 0, 0]
    assert [step.flops for step in steps] == [linear_step(rows) for rows in (8, 4, 8, 4, 4)]


def test_evaluation_in_between_does_not_count():
    loop = Loop()
    loop.run(torch.randn(8, SIZE))
    loop.net.eval()
    with torch.no_grad():
        loop.net(torch.randn(100, SIZE))
    loop.net.train()
    loop.run(torch.randn(8, SIZE))
    assert loop.meter.total.flops == 2 * linear_step(8)


def test_evaluation_inside_a_step_has_a_signature_of_its_own():
    loop = Loop()
    loop.run(torch.randn(8, SIZE))
    loop.net.eval()
    with torch.no_grad(), loop.meter.step(batch := torch.randn(8, SIZE)):
        loop.net(batch)
    assert loop.meter.last.flops == 2 * 8 * SIZE * SIZE


def test_gradient_accumulation_in_one_step():
    loop = Loop()
    for _ in range(2):
        with loop.meter.step():
            for rows in (8, 8, 4):
                with loop.meter.batch(batch := torch.randn(rows, SIZE)):
                    loop.net(batch).sum().backward()
            loop.optimizer.step()
    assert loop.meter.last.flops == linear_step(8 + 8 + 4)
    assert loop.meter.total.steps == 2
    assert loop.meter.total.counted == 1


def test_gradient_accumulation_by_steps_and_by_lists():
    loop = Loop()
    batches = [torch.randn(8, SIZE) for _ in range(4)]
    with loop.meter.step(batches):
        for batch in batches:
            loop.net(batch).sum().backward()
        loop.optimizer.step()
    assert loop.meter.last.flops == 4 * linear_step(8)
    with loop.meter.batch(batches[0]):  # outside of a step it is one
        loop.net(batches[0]).sum().backward()
    assert loop.meter.last.flops == linear_step(8)


def test_a_step_or_batch_inside_of_another_is_part_of_it():
    part = torch.randn(8, SIZE)

    def work(loop):
        loop.net(part).sum().backward()

    def nested_steps(loop):
        with loop.meter.step(part), loop.meter.step(part):
            work(loop)

    def steps_in_an_open_step(loop):
        with loop.meter.step(), loop.meter.step(part):
            work(loop)

    def batches_in_a_batch(loop):
        with loop.meter.step([part]), loop.meter.batch(part), loop.meter.batch(part):
            work(loop)

    for loops in (nested_steps, steps_in_an_open_step, batches_in_a_batch):
        loop = Loop()
        for _ in range(2):
            loops(loop)
        total = loop.meter.total
        assert (total.steps, total.counted, total.flops) == (2, 1, 2 * linear_step(8)), loops


def test_a_part_that_fails_and_is_caught_does_not_count():
    loop = Loop()
    part = torch.randn(8, SIZE)
    with loop.meter.step():
        with pytest.raises(RuntimeError, match="out of memory"), loop.meter.batch(part):
            raise RuntimeError("out of memory")
        with loop.meter.batch(part):
            loop.net(part).sum().backward()
    assert (loop.meter.total.steps, loop.meter.last.flops) == (1, linear_step(8))
    assert torch._C._len_torch_dispatch_stack() == 0


def test_a_whole_step_can_be_skipped():
    loop = Loop()
    with loop.meter.step() as step:
        with loop.meter.batch(torch.randn(8, SIZE)):
            pass
        step.skip()
    assert loop.meter.total.steps == 0


def test_a_profile_around_the_loop_counts_all_of_it():
    loop = Loop()
    with dc.profile(loop.net) as prof:
        for _ in range(3):
            loop.run(torch.randn(8, SIZE))
    assert 2 * prof.report.macs == loop.meter.total.flops == 3 * linear_step(8)


def test_a_scaler_that_skips_an_update_is_a_step_all_the_same():
    """The products ran, in half precision, and only the optimizer's update was left out."""
    loop = Loop()
    scaler = torch.amp.GradScaler("cpu")
    for index in range(3):
        batch = torch.full((8, SIZE), torch.inf) if index == 1 else torch.randn(8, SIZE)
        with loop.meter.step(batch):
            with torch.autocast("cpu", torch.float16):
                loss = loop.net(batch).sum()
            scaler.scale(loss).backward()
            scaler.step(loop.optimizer)
            scaler.update()
            loop.optimizer.zero_grad()
    assert loop.meter.total.cost.model == {"float16": 3 * linear_step(8) // 2}


class Stream(torch.utils.data.IterableDataset):
    """Samples that no one knows the number of, each with a name of its own."""

    def __iter__(self):
        for index in range(5):
            yield {"x": torch.randn(SIZE), "name": f"sample {index}", "about": {"id": str(index)}}


def test_names_of_samples_do_not_make_batches_new():
    loop = Loop()
    for batch in torch.utils.data.DataLoader(Stream(), batch_size=2):
        with loop.meter.step(batch):
            loop.net(batch["x"]).sum().backward()
    total = loop.meter.total
    assert (total.steps, total.counted) == (3, 2)  # two batches of two samples, one of one
    assert total.flops == linear_step(5)


def test_a_skipped_batch_costs_nothing():
    loop = Loop()
    loop.run(torch.randn(8, SIZE))
    for rows in (8, 4):  # one whose cost is known, one that would have been counted
        with loop.meter.step(torch.randn(rows, SIZE)) as step:
            step.skip()
    assert loop.meter.total.steps == 1
    assert loop.run(torch.randn(4, SIZE)).flops == linear_step(4)


def test_a_step_that_raises_does_not_count_and_leaves_nothing_behind():
    loop = Loop()
    for _ in range(2):
        with (
            pytest.raises(RuntimeError, match="out of luck"),
            loop.meter.step(torch.randn(8, SIZE)),
        ):
            raise RuntimeError("out of luck")
        assert torch._C._len_torch_dispatch_stack() == 0
    assert loop.meter.total.steps == 0
    assert loop.run(torch.randn(8, SIZE)).flops == linear_step(8)


class Branching(nn.Module):
    """A model whose work depends on the contents of its input."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(SIZE, SIZE)

    def forward(self, x):
        x = self.layer(x)
        return self.layer(x) if bool(x.detach().isnan().any()) else x


def test_every_counts_again_and_warns_if_the_cost_moved():
    loop = Loop({"every": 2}, net=Branching())
    plain, twice = torch.randn(8, SIZE), torch.full((8, SIZE), torch.nan)
    assert [loop.run(plain).counted for _ in range(4)] == [1, 0, 1, 0]
    with pytest.warns(UserWarning, match="do not cost the same"):
        moved = loop.run(twice)
    # The second layer's input needs a gradient, so backward has three products more to it.
    assert moved.flops == linear_step(8) + 2 * 3 * 8 * SIZE * SIZE
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it is said once
        loop.run(plain)
        loop.run(plain)


def test_many_new_shapes_are_said_once():
    loop = Loop()

    def run():
        for rows in range(1, 66):
            loop.run(torch.randn(rows, SIZE))

    with pytest.warns(UserWarning, match="64 of the first 64 batches had new shapes"):
        run()


def test_operators_without_a_rule_are_said_once():
    def run(meter, batch):
        with meter.step(batch):
            torch.ops.meter_test.opaque(torch.ones(4))

    with torch.library._scoped_library("meter_test", "FRAGMENT") as library:
        library.define("opaque(Tensor x) -> Tensor")
        library.impl("opaque", lambda x: x.clone(), "CPU")
        meter = dc.Meter(nn.Linear(2, 2), device=CPU)
        with pytest.warns(UserWarning, match="meter_test.opaque is not known"):
            run(meter, "a")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            run(meter, "b")


def rows_of(batch):
    return {"rows": batch.shape[0]}


def law_of(net, make, **options):
    """The law of forward and backward of `net` on what `make` gives for a number of rows."""

    def step(rows):
        net(make(rows)).square().mean().backward()
        net.zero_grad(set_to_none=True)

    return dc.law(net, step, **options, rows=4)


def test_a_law_answers_for_any_size_without_counting():
    loop, counted = Loop(), Loop()
    law = law_of(loop.net, lambda rows: torch.randn(rows, SIZE))
    loop = Loop({"law": law, "sizes": rows_of})
    for rows in (8, 3, 1, 100):
        batch = torch.randn(rows, SIZE)
        assert loop.run(batch).cost == counted.run(batch).cost
    assert loop.meter.total.counted == 0
    with pytest.raises(ValueError, match="law and sizes belong together"):
        dc.Meter(loop.net, device=CPU, law=law)


def test_a_function_that_answers_with_macs_is_a_law_too():
    loop = Loop({"law": lambda rows: dc.Stats(macs=linear_step(rows) // 2), "sizes": rows_of})
    assert loop.run(torch.randn(8, SIZE)).flops == linear_step(8)
    assert loop.meter.total.counted == 0


@pytest.mark.parametrize("dtype", [torch.bfloat16, "bfloat16", "torch.bfloat16"])
def test_the_dtype_of_a_law_is_given_as_text_or_as_torch_has_it(dtype):
    loop = Loop()
    law = law_of(loop.net, lambda rows: torch.randn(rows, SIZE))
    last = Loop({"law": law, "sizes": rows_of, "dtype": dtype}).run(torch.randn(8, SIZE))
    assert last.cost.model == {"bfloat16": linear_step(8) // 2}
    assert last.mfu == pytest.approx(linear_step(8) / 4e12 / last.seconds)


@pytest.mark.parametrize("count", [24, 24.0, torch.tensor(24)])
def test_tokens_may_be_any_number(count):
    loop = Loop({"tokens": lambda batch: count})
    loop.run(torch.randn(8, SIZE))
    assert loop.run(torch.randn(8, SIZE)).tokens == 24
    assert type(loop.meter.last.tokens) is int


class Attending(nn.Module):
    """A causal attention, in a checkpoint or not."""

    def __init__(self, checkpointed):
        super().__init__()
        self.project = nn.Linear(16, 48)
        self.checkpointed = checkpointed

    def attend(self, x):
        q, k, v = (part[:, None] for part in self.project(x).chunk(3, dim=-1))
        return nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)

    def forward(self, x):
        if self.checkpointed:
            return checkpoint(self.attend, x, use_reentrant=False)
        return self.attend(x)


@pytest.mark.parametrize("checkpointed", [False, True])
def test_what_a_law_says_is_recomputed_or_masked_is_told_apart(checkpointed):
    """MFU leaves out a checkpoint's second forward, and the scores that backward forms again."""
    net = Attending(checkpointed)
    law = law_of(net, lambda rows: torch.randn(2, rows, 16))
    loop = Loop({"law": law, "sizes": lambda batch: {"rows": batch.shape[1]}}, net=net)
    batch = torch.randn(2, 12, 16)
    by_law, counted = loop.run(batch), Loop(net=net).run(batch)
    assert by_law.cost == counted.cost
    projected, scores = 2 * 12 * 16 * 48, 2 * 12 * 12 * 16
    # Forward and backward: the projection and its weight's gradient; two products, four gradients.
    assert by_law.flops == 2 * (2 * projected + 6 * scores)
    assert by_law.cost.hardware_flops >= by_law.flops + 2 * scores
    hidden = 2 * (12 * 11 // 2) * 16
    assert by_law.flops - 2 * by_law.cost.unmasked["float32"] == 2 * 6 * hidden


def test_a_batch_beyond_the_law_is_counted_and_said_once():
    class Short(nn.Linear):
        def forward(self, x):
            if len(x) > 40:  # another way of work, which the law was told of by its domain
                return super().forward(super().forward(x))
            return super().forward(x)

    net = Short(SIZE, SIZE)

    def step(rows):
        if rows > 40:
            raise ValueError("at most 40 rows")
        net(torch.randn(rows, SIZE)).sum().backward()
        net.zero_grad(set_to_none=True)

    loop = Loop({"law": dc.law(net, step, rows=4), "sizes": rows_of}, net=net)
    loop.run(torch.randn(40, SIZE))
    with pytest.warns(UserWarning, match="the law does not hold for it: rows = 41"):
        beyond = loop.run(torch.randn(41, SIZE))
    assert beyond.flops == 2 * (2 + 3) * 41 * SIZE * SIZE  # the second layer's input has a gradient
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loop.run(torch.randn(42, SIZE))
        assert loop.run(torch.randn(41, SIZE)).counted == 0
    assert loop.meter.total.counted == 2


def test_a_law_without_a_formula_for_its_macs_is_refused_at_once():
    net = nn.Linear(SIZE, SIZE)
    with torch.library._scoped_library("meter_law_test", "FRAGMENT") as library:
        library.define("opaque(Tensor x) -> Tensor")
        library.impl("opaque", lambda x: x.clone(), "CPU")
        law = dc.law(
            net, lambda rows: torch.ops.meter_law_test.opaque(net(torch.randn(rows, SIZE))), rows=4
        )
    with pytest.raises(dc.LawError, match="macs has no formula"):
        dc.Meter(net, device=CPU, law=law, sizes=rows_of)


def test_every_is_a_number_of_batches():
    with pytest.raises(ValueError, match="every=0"):
        dc.Meter(nn.Linear(2, 2), device=CPU, every=0)


def test_tokens_of_language_models():
    net = nn.Embedding(10, 4)
    meter = dc.Meter(net, device=CPU)
    for batch in (
        {"input_ids": torch.zeros(2, 5, dtype=torch.long)},
        {"inputs_embeds": torch.zeros(2, 5, 4)},
    ):
        with meter.step(batch):
            pass
        assert meter.last.tokens == 10
    own = dc.Meter(net, device=CPU, tokens=lambda batch: 7)
    with own.step(torch.zeros(1)):
        pass
    assert own.last.tokens == 7
    assert own.last.tokens_per_s == 7 / own.last.seconds


def test_training_is_the_same_bit_for_bit():
    """Dropout draws from the generator, Adam has state, and two optimizers step in turn."""

    def train(metered):
        torch.manual_seed(1)
        net = nn.Sequential(
            nn.Linear(16, 32), nn.BatchNorm1d(32), nn.Dropout(0.3), nn.Linear(32, 4)
        )
        optimizers = [
            torch.optim.AdamW(net[0].parameters()),
            torch.optim.SGD(net[3].parameters(), 0.1),
        ]
        meter = dc.Meter(net, device=CPU, every=3) if metered else None
        losses = []
        for index in range(8):
            batch = torch.randn(8 if index % 3 else 6, 16)
            if meter is None:
                losses.append(one_step(net, optimizers, batch))
            else:
                with meter.step(batch):
                    losses.append(one_step(net, optimizers, batch))
        return losses, copy.deepcopy(net.state_dict()), torch.random.get_rng_state()

    def one_step(net, optimizers, batch):
        loss = net(batch).square().mean()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        return loss.item()

    (losses, state, generator), (losses_m, state_m, generator_m) = train(False), train(True)
    assert losses == losses_m
    assert all(torch.equal(state[name], state_m[name]) for name in state)
    assert torch.equal(generator, generator_m)


def test_a_checkpoint_goes_on_where_it_was():
    loop = Loop()
    for _ in range(3):
        loop.run(torch.randn(8, SIZE))
    other = Loop()
    other.meter.load_state_dict(loop.meter.state_dict())
    assert other.meter.total == loop.meter.total
    other.run(torch.randn(8, SIZE))
    assert other.meter.total.flops == 4 * linear_step(8)
    assert other.meter.total.counted == 2  # costs by signature are not in the checkpoint


def test_a_checkpoint_survives_json_and_another_file_is_refused():
    loop = Loop()
    loop.run(torch.randn(8, SIZE))
    state = json.loads(json.dumps(loop.meter.state_dict()))
    other = Loop()
    other.meter.load_state_dict(state)
    assert other.meter.total.flops == linear_step(8)
    with pytest.raises(ValueError, match="no state of a Meter: it lacks steps"):
        other.meter.load_state_dict({"model": {}})


def test_recent_starts_anew_each_time():
    loop = Loop()
    assert loop.meter.recent().steps == 0
    loop.run(torch.randn(8, SIZE))
    loop.run(torch.randn(8, SIZE))
    assert loop.meter.recent().steps == 2
    loop.run(torch.randn(8, SIZE))
    recent = loop.meter.recent()
    assert (recent.steps, recent.flops) == (1, linear_step(8))
    assert "MFU" in str(recent)
    assert set(recent.logs()) == {"mfu", "hfu", "flops_per_step", "flops_per_s"}


def test_autocast_counts_in_the_dtype_that_ran():
    loop = Loop()
    batch = torch.randn(8, SIZE)
    with loop.meter.step(batch), torch.autocast("cpu", torch.bfloat16):
        loop.net(batch).sum().backward()
    assert loop.meter.last.cost.model == {"bfloat16": linear_step(8) // 2}


def test_an_unknown_device_gives_rates_and_no_mfu(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    net = nn.Linear(SIZE, SIZE)
    meter = Meter(net)
    with meter.step(batch := torch.randn(8, SIZE)):
        net(batch).sum().backward()
    assert meter.last.mfu is None
    assert meter.last.flops_per_s > 0
    assert "mfu" not in meter.last.logs()


def test_a_compiled_model_is_counted_as_eager_code_and_compiled_afterwards():
    calls = []

    def backend(graph, inputs):
        calls.append("compiled")

        def run(*args):
            calls.append("ran")
            return graph(*args)

        return run

    net = nn.Linear(SIZE, SIZE)
    compiled = torch.compile(net, backend=backend)
    meter = dc.Meter(net, device=CPU)
    for _ in range(3):
        with meter.step(batch := torch.randn(8, SIZE)):
            compiled(batch).sum().backward()
        assert meter.last.flops == linear_step(8)
    assert calls == ["compiled", "ran", "ran"]  # the counted step ran the eager code
    torch._dynamo.reset()


class Event:
    """A stand-in for a `torch.Event`: the accelerator passes it when it is told to."""

    passed = 0.0
    waits = 0

    def __init__(self, at):
        self.at = at

    def query(self):
        return Event.passed >= self.at

    def synchronize(self):
        Event.waits += 1
        Event.passed = max(Event.passed, self.at)

    def elapsed_time(self, other):
        return other.at - self.at


class Accelerator(EventClock):
    """A clock in milliseconds of an accelerator that runs behind the host."""

    def __init__(self):
        self.queued = 0.0

    def mark(self):
        return Event(self.queued)


def test_an_accelerator_is_waited_for_only_where_figures_are_read():
    Event.passed, Event.waits = 0.0, 0
    clock = Accelerator()
    net = nn.Linear(SIZE, SIZE)
    meter = Meter(net, device=CPU, clock=clock)
    for _ in range(5):
        with meter.step(batch := torch.randn(8, SIZE)):
            net(batch).sum().backward()
            clock.queued += 20.0
    assert Event.waits == 0
    assert len(meter._waiting) == 5
    Event.passed = 60.0  # the accelerator has done three steps
    with meter.step(batch):
        clock.queued += 20.0
    assert len(meter._waiting) == 3
    total = meter.total
    assert (total.steps, total.seconds) == (6, pytest.approx(0.12))
    assert total.mfu == pytest.approx(linear_step(8) / 1e12 / 0.02)


class Graph:
    """A batch that holds its tensors in attributes, and knows itself."""

    def __init__(self, nodes):
        self.store = {"x": torch.zeros(nodes, 4)}
        self.me = self


def test_tensors_in_attributes_and_arrays_are_seen():
    numpy = pytest.importorskip("numpy")
    from dispatchcount.integrations.signature import signature

    assert signature(Graph(3)) == signature(Graph(3))
    assert signature(Graph(3)) != signature(Graph(4))
    assert signature(numpy.zeros((2, 3))) == signature(numpy.ones((2, 3)))
    assert signature(numpy.zeros((2, 3))) != signature(numpy.zeros((3, 2)))


@pytest.mark.parametrize("value", [3, 2.5, None, object()])
def test_values_that_change_from_batch_to_batch_do_not_make_a_new_signature(value):
    from dispatchcount.integrations.signature import signature

    one = signature({"x": torch.zeros(2, 3), "index": 7, "names": ["a"]})
    assert one == signature({"x": torch.ones(2, 3), "index": 8, "names": ["a"]})
    assert one != signature({"x": torch.zeros(2, 3, dtype=torch.half), "index": 7, "names": ["a"]})
    assert one != signature({"x": torch.zeros(3, 2), "index": 7, "names": ["a"]})
    assert signature({"x": torch.zeros(1), "task": "a"}) != signature(
        {"x": torch.zeros(1), "task": "b"}
    )
    assert signature(["a text", "another"]) != signature(["a text", "a third"])
    hash(signature([value, {"deep": [[[[[[[[value]]]]]]]]}]))
