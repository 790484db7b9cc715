"""`UtilizationCallback` under the real Trainer of Lightning, and `Meter` with Fabric, on the CPU."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import dispatchcount as dc

lightning = pytest.importorskip("lightning")

from lightning.pytorch.loggers import CSVLogger  # noqa: E402

from dispatchcount.integrations.job import over_ranks  # noqa: E402
from dispatchcount.integrations.lightning import UtilizationCallback  # noqa: E402

CPU = dc.Device(peak={"float32": 1e12}, bandwidth=1e11, name="made-up")
SIZE, ROWS = 32, 8
STEP = 2 * 2 * ROWS * SIZE * SIZE  # the product, and the gradient of the weight


class Net(lightning.LightningModule):
    """One layer."""

    def __init__(self, fail_at=None):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(SIZE, SIZE)
        self.fail_at = fail_at

    def training_step(self, batch, index):
        if index == self.fail_at:
            raise RuntimeError("out of memory")
        return self.layer(batch[0]).square().mean()

    def validation_step(self, batch, index):
        return self.layer(batch[0]).square().mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def loader(batches):
    torch.manual_seed(2)
    return DataLoader(TensorDataset(torch.randn(batches * ROWS, SIZE)), batch_size=ROWS)


def trainer(folder, *callbacks, **options):
    return lightning.Trainer(
        accelerator="cpu", max_epochs=1, log_every_n_steps=1, callbacks=list(callbacks),
        enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
        logger=CSVLogger(str(folder)), **options,
    )  # fmt: skip


def test_steps_are_counted_once_timed_and_logged(tmp_path):
    callback = UtilizationCallback(CPU)
    made = trainer(tmp_path, callback)
    made.fit(Net(), loader(6), loader(2))
    total = callback.meter.total
    assert (total.steps, total.counted, total.flops) == (6, 1, 6 * STEP)
    assert 0 < total.mfu <= total.hfu
    assert callback.last.flops_per_step == STEP
    text = (tmp_path / "lightning_logs" / "version_0" / "metrics.csv").read_text()
    assert text.splitlines()[0] == "flops_per_s,flops_per_step,hfu,mfu,step"
    assert len(text.splitlines()) == 1 + 6


def test_accumulated_gradients_make_one_step(tmp_path):
    callback = UtilizationCallback(CPU)
    trainer(tmp_path, callback, accumulate_grad_batches=3).fit(Net(), loader(7))
    total = callback.meter.total
    # Two updates of three batches, and one of the batch that is left.
    assert (total.steps, total.flops) == (3, 7 * STEP)


def test_training_is_the_same_bit_for_bit(tmp_path):
    nets = [Net(), Net()]
    trainer(tmp_path).fit(nets[0], loader(5), loader(1))
    trainer(tmp_path, UtilizationCallback(CPU, every=2)).fit(nets[1], loader(5), loader(1))
    for name, value in nets[0].state_dict().items():
        assert torch.equal(value, nets[1].state_dict()[name])


def test_a_name_of_a_device_is_refused_before_training():
    with pytest.raises(TypeError, match="write dispatchcount"):
        UtilizationCallback("h100-sxm")


def test_a_failing_step_leaves_nothing_open(tmp_path):
    callback = UtilizationCallback(CPU)
    with pytest.raises(RuntimeError, match="out of memory"):
        trainer(tmp_path, callback).fit(Net(fail_at=0), loader(3))
    assert torch._C._len_torch_dispatch_stack() == 0
    assert callback.meter.total.steps == 0


class TwoOptimizers(Net):
    """A step for each of two layers, by hand, as in training a generator against a critic."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.critic = nn.Linear(SIZE, SIZE)

    def training_step(self, batch, index):
        for optimizer, layer in zip(self.optimizers(), (self.layer, self.critic), strict=True):
            optimizer.zero_grad()
            self.manual_backward(layer(batch[0]).square().mean())
            optimizer.step()

    def configure_optimizers(self):
        return [torch.optim.SGD(net.parameters(), lr=0.1) for net in (self.layer, self.critic)]


def logged(folder):
    """The lines that the trainer's logger wrote."""
    path = folder / "lightning_logs" / "version_0" / "metrics.csv"
    return len(path.read_text().splitlines()) - 1 if path.exists() else 0


def test_several_optimizers_make_one_step_of_a_batch(tmp_path):
    callback = UtilizationCallback(CPU)
    made = trainer(tmp_path, callback)
    made.log_every_n_steps = 5
    made.fit(TwoOptimizers(), loader(15))
    total = callback.meter.total
    assert (total.steps, total.counted, total.flops) == (15, 1, 15 * 2 * STEP)
    assert logged(tmp_path) == 3


class Skipping(Net):
    """It does no work on some batches, in one of Lightning's two ways."""

    def __init__(self, at, ends_the_epoch):
        super().__init__()
        self.at, self.ends_the_epoch = at, ends_the_epoch

    def on_train_batch_start(self, batch, index):
        return -1 if self.ends_the_epoch and index == self.at else None

    def training_step(self, batch, index):
        return None if index == self.at else super().training_step(batch, index)


@pytest.mark.parametrize("at", [0, 2])
@pytest.mark.parametrize("ends_the_epoch", [False, True])
def test_skipped_batches_cost_nothing_and_leave_nothing_open(tmp_path, at, ends_the_epoch):
    callback = UtilizationCallback(CPU)
    trainer(tmp_path, callback).fit(Skipping(at, ends_the_epoch), loader(4))
    worked = at if ends_the_epoch else 3
    total = callback.meter.total
    assert (total.steps, total.flops) == (worked, worked * STEP)
    assert torch._C._len_torch_dispatch_stack() == 0
    assert logged(tmp_path) == worked


def test_mixed_precision_is_told_to_a_law(tmp_path):
    callback = UtilizationCallback(
        CPU,
        law=lambda rows: dc.Stats(macs=2 * rows * SIZE * SIZE),
        sizes=lambda batch: {"rows": len(batch[0])},
    )
    trainer(tmp_path, callback, precision="bf16-mixed").fit(Net(), loader(3))
    total = callback.meter.total
    assert (total.counted, total.cost.model) == (0, {"bfloat16": 3 * STEP // 2})


def test_a_checkpoint_holds_the_sums(tmp_path):
    first, second = UtilizationCallback(CPU), UtilizationCallback(CPU)
    made = trainer(tmp_path, first)
    made.fit(Net(), loader(4))
    made.save_checkpoint(tmp_path / "last.ckpt")
    options = {"max_epochs": 2}
    again = lightning.Trainer(
        accelerator="cpu", callbacks=[second], logger=False, enable_progress_bar=False,
        enable_model_summary=False, enable_checkpointing=False, **options,
    )  # fmt: skip
    again.fit(Net(), loader(4), ckpt_path=str(tmp_path / "last.ckpt"))
    assert second.meter.total.flops == 8 * STEP


def test_fabric(tmp_path):
    fabric = lightning.Fabric(accelerator="cpu", devices=1)
    net = Net()
    model, optimizer = fabric.setup(net.layer, torch.optim.SGD(net.parameters(), lr=0.1))
    meter = dc.Meter(model, device=CPU)
    for batch in fabric.setup_dataloaders(loader(3)):
        with meter.step(batch):
            fabric.backward(model(batch[0]).square().mean())
            optimizer.step()
            optimizer.zero_grad()
    assert meter.total.flops == 3 * STEP
    assert set(over_ranks(meter.recent()).logs()) == {"mfu", "hfu", "flops_per_step", "flops_per_s"}
