"""A loop with the real Accelerate, and what ranks of a job make together."""

import pytest
import torch
from torch import distributed, multiprocessing, nn
from torch.utils.data import DataLoader, TensorDataset

import dispatchcount as dc
from dispatchcount.hardware.utilization import StepCost
from dispatchcount.integrations.job import JobThroughput, over_ranks
from dispatchcount.integrations.throughput import Throughput

CPU = dc.Device(peak={"float32": 1e12}, bandwidth=1e11, name="made-up")
SIZE, ROWS = 32, 8
STEP = 2 * 2 * ROWS * SIZE * SIZE


def test_a_loop_with_accumulation(monkeypatch):
    accelerate = pytest.importorskip("accelerate")
    from dispatchcount.integrations.accelerate import UtilizationMeter

    accelerator = accelerate.Accelerator(cpu=True, gradient_accumulation_steps=2)
    torch.manual_seed(0)
    net = nn.Linear(SIZE, SIZE)
    model, optimizer, loader = accelerator.prepare(
        net,
        torch.optim.SGD(net.parameters(), lr=0.1),
        DataLoader(TensorDataset(torch.randn(6 * ROWS, SIZE)), batch_size=ROWS),
    )
    utilization = UtilizationMeter(accelerator, model, CPU)
    logged = []
    monkeypatch.setattr(accelerator, "log", lambda values, step: logged.append((step, values)))
    for (x,) in loader:
        with utilization.batch(x), accelerator.accumulate(model):
            accelerator.backward(model(x).square().mean())
            optimizer.step()
            optimizer.zero_grad()
    total = utilization.meter.total
    assert (total.steps, total.counted, total.flops) == (3, 1, 6 * STEP)
    job = utilization.log(step=3)
    assert logged == [(3, job.logs())]
    assert job.flops_per_step == 2 * STEP
    with pytest.raises(RuntimeError, match="lost"), utilization.batch(x):
        raise RuntimeError("lost")
    assert not utilization.meter.under_way


def throughput(macs, seconds, tokens=0):
    cost = StepCost({"float32": macs}, {"float32": macs}, {"float32": macs})
    return Throughput(CPU, 1, 0, cost, seconds, tokens, cost, seconds, tokens)


def test_rates_of_ranks_add_up_and_utilizations_are_averaged():
    job = JobThroughput((throughput(10**9, 0.01, 64), throughput(10**9, 0.02, 32)))
    assert job.flops_per_step == 4e9
    assert job.flops_per_s == pytest.approx(2e11 + 1e11)
    assert job.tokens_per_s == pytest.approx(6400 + 1600)
    assert job.mfu == pytest.approx((0.2 + 0.1) / 2)
    silent = JobThroughput((throughput(10**9, 0.01), throughput(10**9, 0.02, 32)))
    assert silent.tokens_per_s is None
    assert "tokens_per_s" not in silent.logs()
    assert str(job) == "MFU 15.0 %, HFU 15.0 %, 300 G flops/s, 8.00 k tokens/s (2 ranks)"
    assert str(silent) == "MFU 15.0 %, HFU 15.0 %, 300 G flops/s (2 ranks)"
    assert str(JobThroughput((Throughput(CPU),))) == "nothing timed yet (1 rank)"


def test_without_a_process_group_a_rank_is_the_whole_job():
    own = throughput(10**9, 0.01)
    assert over_ranks(own) == JobThroughput((own,))


def rank(index, port, results):
    distributed.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=index, world_size=2
    )
    torch.manual_seed(0)
    net = nn.parallel.DistributedDataParallel(nn.Linear(SIZE, SIZE))
    meter = dc.Meter(net, device=CPU)
    for _ in range(3):
        with meter.step(batch := torch.randn(ROWS * (index + 1), SIZE)):
            net(batch).square().mean().backward()
    job = over_ranks(meter.recent())
    results.put((index, [part.flops for part in job.ranks], job.flops_per_step, job.mfu))
    distributed.destroy_process_group()


def test_two_ranks_under_ddp():
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    ranks = [context.Process(target=rank, args=(index, port, results)) for index in range(2)]
    for process in ranks:
        process.start()
    found = sorted(results.get(timeout=120) for _ in ranks)
    for process in ranks:
        process.join()
    for index, (who, flops, flops_per_step, mfu) in enumerate(found):
        assert who == index
        assert flops == [3 * STEP, 3 * 2 * STEP]  # each rank's own work
        assert flops_per_step == 3 * STEP  # a step of the job
        assert mfu > 0
