"""`UtilizationCallback` under the real Trainer of transformers, on the CPU."""

import copy

import pytest
import torch
from torch.utils.data import SequentialSampler

import dispatchcount as dc
from tests.hardware.models import gpt2

transformers = pytest.importorskip("transformers")
pytest.importorskip("accelerate")

from dispatchcount.integrations.clocks import HostInterval  # noqa: E402
from dispatchcount.integrations.transformers import UtilizationCallback  # noqa: E402

CPU = dc.Device(peak={"float32": 1e12}, bandwidth=1e11, name="made-up")
LAYERS, WIDTH, VOCABULARY = 2, 768, 50257


class InOrder(transformers.Trainer):
    """A trainer that takes the samples in order, so that a batch has one length."""

    def _get_train_sampler(self, *args):
        return SequentialSampler(self.train_dataset)


class Tokens(torch.utils.data.Dataset):
    """Samples of given lengths."""

    def __init__(self, lengths, vocabulary):
        self.lengths, self.vocabulary = lengths, vocabulary

    def __len__(self):
        return len(self.lengths)

    def __getitem__(self, index):
        tokens = torch.arange(self.lengths[index]) % self.vocabulary
        return {"input_ids": tokens, "labels": tokens}


def train(net, lengths, folder, callbacks, trainer=InOrder, evaluated=None, **options):
    torch.manual_seed(0)
    arguments = transformers.TrainingArguments(
        output_dir=str(folder), use_cpu=True, report_to=[], disable_tqdm=True,
        per_device_train_batch_size=2, logging_steps=1, dataloader_pin_memory=False,
        num_train_epochs=1, **{"save_strategy": "no", **options},
    )  # fmt: skip
    vocabulary = net.config.vocab_size
    made = trainer(
        net,
        arguments,
        train_dataset=Tokens(lengths, vocabulary),
        eval_dataset=evaluated,
        callbacks=callbacks,
    )
    made.train()
    return made


def gpt2_step(layers, width, vocabulary, batch, length):
    """PaLM's formula: six flops a token and weight that is multiplied, and attention's twelve."""
    matrices = layers * 12 * width**2 + vocabulary * width
    return (6 * matrices + 12 * layers * width * length) * batch * length


def test_gpt_2_with_accumulation_and_two_lengths(tmp_path):
    callback = UtilizationCallback(CPU)
    # Two updates of four batches each: the first of 16 tokens, then of 16 and 24 in turn.
    lengths = [16] * 8 + [16, 16, 24, 24] * 2
    trainer = train(gpt2(LAYERS), lengths, tmp_path, [callback], gradient_accumulation_steps=4)
    short, long = (gpt2_step(LAYERS, WIDTH, VOCABULARY, 2, length) for length in (16, 24))
    logs = [entry for entry in trainer.state.log_history if "mfu" in entry]
    assert [entry["flops_per_step"] for entry in logs] == [4 * short, 2 * short + 2 * long]
    for entry in logs:
        assert 0 < entry["mfu"] <= entry["hfu"]
        assert entry["flops_per_s"] > 0
        assert entry["tokens_per_s"] > 0
    total = callback.meter.total
    assert (total.steps, total.tokens) == (2, 4 * 2 * 16 + 2 * 2 * 16 + 2 * 2 * 24)
    # The fused attention forms its scores a second time in backward: two of fourteen flops.
    scores = LAYERS * 2 * (6 * 16**2 + 2 * 24**2)
    assert total.cost.hardware_flops - total.flops == 2 * scores * WIDTH
    # Half of the scores are masked, the diagonal is not.
    unseen = LAYERS * 2 * (6 * 16 * 15 // 2 + 2 * 24 * 23 // 2)
    assert total.flops - 2 * total.cost.unmasked["float32"] == 12 * unseen * WIDTH

    # Trainer's own figure is 6 times tokens and parameters without the tables: it leaves out the
    # head, which is tied to a table and is a product, and attention, and takes in biases and norms.
    idle = LAYERS * 13 * WIDTH + 2 * WIDTH
    attention = 12 * LAYERS * WIDTH * 2 * (6 * 16**2 + 2 * 24**2)
    head = 6 * VOCABULARY * WIDTH * total.tokens
    assert trainer.state.total_flos == total.flops - attention - head + 6 * idle * total.tokens


def law_of(net):
    """The law of a batch's forward and backward, made on meta."""
    net = copy.deepcopy(net).to("meta")

    def step(b, s):
        tokens = torch.zeros(b, s, dtype=torch.long, device="meta")
        net(input_ids=tokens, labels=tokens).loss.backward()
        net.zero_grad(set_to_none=True)

    return dc.law(net, step, b=2, s=16)


def sizes(batch):
    b, s = batch["input_ids"].shape
    return {"b": b, "s": s}


def test_gpt_2_by_a_law_is_the_closed_form_at_any_length_and_counts_nothing(tmp_path):
    net = gpt2(LAYERS)
    law = law_of(net)
    # PaLM's formula in b and s: 6·(12·L·w² + V·w)·b·s + 12·L·w·b·s², halved as MACs.
    matrices = LAYERS * 12 * WIDTH**2 + VOCABULARY * WIDTH
    assert str(law.macs) == f"{6 * LAYERS * WIDTH:,}·b·s² + {3 * matrices:,}·b·s"
    callback = UtilizationCallback(CPU, law=law, sizes=sizes)
    # The same two updates, and lengths that no other batch has in a third.
    lengths = [16] * 8 + [16, 16, 24, 24] * 2 + [9, 9, 31, 31, 40, 40, 7, 7]
    trainer = train(net, lengths, tmp_path, [callback], gradient_accumulation_steps=4)
    one = {
        length: gpt2_step(LAYERS, WIDTH, VOCABULARY, 2, length) for length in (7, 9, 16, 24, 31, 40)
    }
    logs = [entry["flops_per_step"] for entry in trainer.state.log_history if "mfu" in entry]
    assert logs == [4 * one[16], 2 * one[16] + 2 * one[24], one[9] + one[31] + one[40] + one[7]]
    assert (callback.meter.total.steps, callback.meter.total.counted) == (3, 0)


def test_mixed_precision_is_told_to_the_law(tmp_path):
    net = small()
    callback = UtilizationCallback(CPU, law=law_of(net), sizes=sizes)
    train(net, [8] * 4, tmp_path, [callback], bf16=True)
    assert callback.meter.total.cost.model == {"bfloat16": 2 * gpt2_step(1, 16, 50, 2, 8) // 2}


def small():
    torch.manual_seed(1)
    return gpt2(1, width=16, heads=2, vocabulary=50)


def test_each_signature_is_counted_once_and_rates_are_of_other_steps(tmp_path):
    callback = UtilizationCallback(CPU)
    train(small(), [8] * 8, tmp_path, [callback])
    total = callback.meter.total
    assert (total.steps, total.counted) == (4, 1)
    assert total.flops == 4 * gpt2_step(1, 16, 50, 2, 8)
    assert 0 < total.timed_seconds < total.seconds


def test_training_is_the_same_bit_for_bit_and_the_trainer_as_before(tmp_path):
    nets = []
    for callbacks in ([], [UtilizationCallback(CPU, every=2)]):
        net = small()
        trainer = train(net, [8] * 6 + [12] * 6, tmp_path, callbacks, gradient_accumulation_steps=2)
        nets.append(net)
        assert {"training_step", "log"} & set(vars(trainer)) == set()
    for name, value in nets[0].state_dict().items():
        assert torch.equal(value, nets[1].state_dict()[name]), name
    assert not any(module._forward_pre_hooks for module in nets[1].modules())


def test_a_method_of_the_users_own_is_called_and_put_back(tmp_path):
    calls = []
    trainer = train(small(), [8] * 2, tmp_path, [])
    original = trainer.training_step

    def own(*args, **kwargs):
        calls.append(1)
        return original(*args, **kwargs)

    trainer.training_step = own
    callback = UtilizationCallback(CPU)
    trainer.add_callback(callback)
    trainer.train()
    assert trainer.training_step is own
    assert len(calls) == callback.meter.total.steps == 1


def test_other_callbacks_get_the_figures(tmp_path):
    seen = []

    class Reporter(transformers.TrainerCallback):
        def on_log(self, args, state, control, logs=None, **kwargs):
            seen.append(copy.copy(logs))

    train(small(), [8] * 4, tmp_path, [Reporter(), UtilizationCallback(CPU)])
    training = [logs for logs in seen if "loss" in logs]
    assert all({"mfu", "hfu", "flops_per_step", "tokens_per_s"} <= set(logs) for logs in training)
    assert not any("mfu" in logs for logs in seen if "loss" not in logs)


class Stopwatch:
    """A clock that runs only where the test lets it."""

    def __init__(self):
        self.now = 0.0

    def mark(self):
        return self.now

    def between(self, start, stop):
        return HostInterval(stop - start)


def test_evaluating_saving_and_logging_are_neither_counted_nor_timed(tmp_path):
    clock = Stopwatch()
    callback = UtilizationCallback(CPU, clock=clock)

    class Timed(InOrder):
        """Work on a batch takes 1 second, waiting for one 0.25, all else 100."""

        def get_batch_samples(self, *args, **kwargs):
            clock.now += 0.25
            return super().get_batch_samples(*args, **kwargs)

        def training_step(self, *args, **kwargs):
            clock.now += 1.0
            return super().training_step(*args, **kwargs)

        def evaluate(self, *args, **kwargs):
            clock.now += 100.0
            return super().evaluate(*args, **kwargs)

        def log(self, *args, **kwargs):
            clock.now += 100.0
            return super().log(*args, **kwargs)

        def _save_checkpoint(self, *args, **kwargs):
            clock.now += 100.0

    train(
        small(), [8] * 8, tmp_path, [callback], trainer=Timed, evaluated=Tokens([8, 8], 50),
        eval_strategy="steps", eval_steps=1, save_strategy="steps", save_steps=1,
    )  # fmt: skip
    total = callback.meter.total
    assert total.flops == 4 * gpt2_step(1, 16, 50, 2, 8)
    assert (total.steps, total.seconds, total.timed_seconds) == (4, 4 * 1.25, 3 * 1.25)


def test_a_trainer_that_fails_is_left_as_it_was(tmp_path):
    class Failing(InOrder):
        calls = 0

        def compute_loss(self, *args, **kwargs):
            self.calls += 1
            if self.calls == 2:
                raise RuntimeError("out of memory")
            return super().compute_loss(*args, **kwargs)

    callback = UtilizationCallback(CPU)
    made = []

    class Remember(transformers.TrainerCallback):
        def on_train_begin(self, args, state, control, **kwargs):
            made.append(callback._wrapped)

    with pytest.raises(RuntimeError, match="out of memory"):
        train(small(), [8, 8, 12, 12], tmp_path, [callback, Remember()], trainer=Failing)
    assert torch._C._len_torch_dispatch_stack() == 0
    assert {"training_step", "log"} & set(vars(made[0])) == set()
    assert callback.meter.total.steps == 1


def test_a_name_of_a_device_is_refused_before_training():
    with pytest.raises(TypeError, match="write dispatchcount"):
        UtilizationCallback("h100-sxm")


def test_a_callback_that_no_trainer_calls_says_what_to_do():
    with pytest.raises(RuntimeError, match=r"UtilizationCallback\(trainer=trainer\)"):
        UtilizationCallback(CPU).on_train_begin(None, None, None)
