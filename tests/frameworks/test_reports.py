"""Real clients of report and watch: `make test-frameworks`.

Lightning, Hugging Face's trainer, accelerate and TensorBoard are no part of that extra: their tests
are skipped where they are not installed.
"""

import json

import numpy as np
import pytest
import torch

from adamlib import report, watch, watching
from adamlib.reporting.command import report_file

TOLD = dict(lr=0.1, betas=(0.9, 0.999), eps=1e-3)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = torch.nn.Linear(4, 8), torch.nn.Linear(8, 2)

    def forward(self, x):
        return self.last(torch.tanh(self.first(x)))


def read_lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def without_gradients(rows):
    return [{**row, "grad_rms": None} for row in rows]


# --- optax, Keras, safetensors --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["adam", "adamw", "amsgrad"])
def test_the_step_of_optax_is_the_one_that_was_taken(name):
    jax, optax = pytest.importorskip("jax"), pytest.importorskip("optax")
    params = {"layer": {"w": jax.numpy.ones((3, 4)), "b": jax.numpy.ones(4)}}
    options = {"weight_decay": 0.0} if name == "adamw" else {}
    optimizer = getattr(optax, name)(0.1, eps=1e-3, **options)
    state, rng = optimizer.init(params), np.random.default_rng(0)
    for _ in range(5):
        grads = jax.tree.map(lambda p: jax.numpy.asarray(rng.standard_normal(p.shape)), params)
        updates, state = optimizer.update(grads, state, params)
        params = optax.apply_updates(params, updates)
    found = report(state, params, **TOLD)
    assert [row["name"] for row in found.rows] == ["layer.b", "layer.w"]
    for row, key in zip(found.rows, ("b", "w"), strict=True):
        longest = float(np.abs(np.asarray(updates["layer"][key])).max())
        assert row["step_max"] == pytest.approx(longest / 0.1, rel=1e-5)
        assert row["lost_in_rounding"] == 0.0
    with pytest.raises(ValueError, match="an optax state holds no lr, betas, eps"):
        report(state)


def test_optax_tells_what_inject_hyperparams_holds():
    jax, optax = pytest.importorskip("jax"), pytest.importorskip("optax")
    state = optax.inject_hyperparams(optax.adam)(learning_rate=0.25, eps=1e-4).init(
        jax.numpy.ones(3)
    )
    (group,) = report(state).groups
    assert (group["lr"], group["eps"]) == pytest.approx((0.25, 1e-4), rel=1e-6)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("amsgrad", [False, True])
def test_the_step_of_keras_is_the_one_that_was_taken(amsgrad):
    keras = pytest.importorskip("keras")
    weight = keras.Variable(np.zeros(50), dtype="float64", name="weight")
    optimizer = keras.optimizers.Adam(0.5, epsilon=1e-2, amsgrad=amsgrad)
    rng = np.random.default_rng(0)
    for _ in range(4):
        before = np.asarray(weight.numpy())
        optimizer.apply([keras.ops.convert_to_tensor(rng.standard_normal(50))], [weight])
    moved = np.abs(np.asarray(weight.numpy()) - before) / 0.5
    (row,) = report(optimizer).rows
    assert row["step_max"] == pytest.approx(moved.max(), rel=1e-4)
    assert row["step_rms"] == pytest.approx(np.sqrt((moved**2).mean()), rel=1e-4)
    with pytest.raises(ValueError, match="optimizer is Keras's Nadam"):
        report(keras.optimizers.Nadam())


def test_safetensors_hold_a_state_by_name(tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    net = Net()
    optimizer = torch.optim.Adam(net.parameters(), **TOLD)
    for _ in range(30):
        optimizer.zero_grad()
        net(torch.randn(8, 4)).square().mean().backward()
        optimizer.step()
    names = {param: name for name, param in net.named_parameters()}
    held = {f"{names[p]}.{k}": v for p, state in optimizer.state.items() for k, v in state.items()}
    settings = {"lr": "0.1", "betas": "(0.9, 0.999)", "eps": "1e-3"}
    safetensors.save_file(held, tmp_path / "told.safetensors", metadata=settings)
    safetensors.save_file(held, tmp_path / "untold.safetensors")
    safetensors.save_file(net.state_dict(), tmp_path / "net.safetensors")
    expected = {row["name"]: row for row in without_gradients(report(optimizer, net).rows)}
    for name, told in (("told", {}), ("untold", TOLD)):
        model = tmp_path / "net.safetensors"
        found = report_file(tmp_path / f"{name}.safetensors", model, told)
        assert {row["name"]: row for row in found.rows} == expected
    with pytest.raises(ValueError, match="has no 'lr'|no betas"):
        report_file(tmp_path / "untold.safetensors", None, {})


# --- TensorBoard, Lightning, Hugging Face, accelerate ---------------------------------------------


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_reads_back_what_was_written(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter

    net = Net()
    optimizer = torch.optim.Adam(net.parameters(), **TOLD)
    with SummaryWriter(tmp_path) as writer:
        watch(optimizer, every=2, to=writer, model=net)
        for _ in range(4):
            optimizer.zero_grad()
            net(torch.randn(8, 4)).square().mean().backward()
            optimizer.step()
    events = EventAccumulator(str(tmp_path)).Reload()
    row = report(optimizer, net).rows[0]
    for column in ("held_back_half", "step_max", "root_v_50"):
        first, last = events.Scalars(f"{column}/first.weight")
        assert (first.step, last.step) == (2, 4)
        assert last.value == pytest.approx(row[column], rel=1e-6)


@pytest.mark.filterwarnings("ignore")  # what Lightning warns of has nothing to do with us
def test_lightning_is_watched_and_its_checkpoint_read(tmp_path):
    lightning = pytest.importorskip("lightning")

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = Net()

        def training_step(self, batch, index):
            return self.net(batch[0]).square().mean()

        def configure_optimizers(self):
            return torch.optim.AdamW(self.net.parameters(), **TOLD)

    data = torch.utils.data.TensorDataset(torch.randn(64, 4))
    callback = watching.for_lightning(every=3, to=tmp_path / "run.jsonl")
    trainer = lightning.Trainer(
        max_epochs=1, accelerator="cpu", devices=1, logger=False, callbacks=[callback],
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        default_root_dir=tmp_path,
    )  # fmt: skip
    module = Module()
    trainer.fit(module, torch.utils.data.DataLoader(data, batch_size=8))
    lines = read_lines(tmp_path / "run.jsonl")
    assert [line["step"] for line in lines] == [3, 6]
    assert lines[0]["rows"][0]["name"] == "net.first.weight"
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    found = report_file(tmp_path / "run.ckpt", None, {})
    assert found.rows == without_gradients(report(trainer.optimizers[0], module).rows)


@pytest.mark.filterwarnings("ignore")
def test_hugging_face_s_trainer_is_watched_and_its_checkpoint_read(tmp_path):
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")

    class Data(torch.utils.data.Dataset):
        def __len__(self):
            return 32

        def __getitem__(self, i):
            return {"x": torch.full((4,), i / 32), "labels": torch.tensor([1.0, 0.0])}

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net, self.norm = Net(), torch.nn.LayerNorm(2)

        def forward(self, x, labels):
            out = self.norm(self.net(x))
            return {"loss": (out - labels).square().mean(), "logits": out}

    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path), max_steps=6, save_steps=6, report_to=[], use_cpu=True,
        per_device_train_batch_size=4, disable_tqdm=True, weight_decay=0.1, adam_epsilon=1e-3,
    )  # fmt: skip
    model = Model()
    callback = watching.for_trainer(every=2, to=tmp_path / "run.jsonl")
    trainer = transformers.Trainer(model, arguments, train_dataset=Data(), callbacks=[callback])
    trainer.train()
    lines = read_lines(tmp_path / "run.jsonl")
    assert [line["step"] for line in lines] == [2, 4, 6]
    folder = tmp_path / "checkpoint-6"
    expected = {row["name"]: row for row in without_gradients(lines[-1]["rows"])}
    torch.save(model.state_dict(), tmp_path / "model.pt")
    whole = report_file(folder, tmp_path / "model.pt", {}).rows
    assert {row["name"] for row in whole} == set(expected)
    some = [row for row in report_file(folder, None, {}).rows if row["name"] in expected]
    # model.safetensors has no order: what has a shape of its own is named
    assert {row["name"] for row in some} == {
        "net.first.weight",
        "net.first.bias",
        "net.last.weight",
    }
    for row in whole + some:
        # the file has the next step's rate, by which steps are lost or not
        assert row | {"lost_in_rounding": 0} == expected[row["name"]] | {"lost_in_rounding": 0}


@pytest.mark.filterwarnings("ignore")
def test_accelerate_is_watched_and_its_folder_read(tmp_path):
    accelerate = pytest.importorskip("accelerate")
    accelerator = accelerate.Accelerator(cpu=True)
    net = Net()
    net, optimizer = accelerator.prepare(net, torch.optim.Adam(net.parameters(), **TOLD))
    handle = watch(optimizer, every=2, to=tmp_path / "run.jsonl", model=net)
    for _ in range(4):
        optimizer.zero_grad()
        accelerator.backward(net(torch.randn(8, 4)).square().mean())
        optimizer.step()
    handle.remove()
    assert [line["step"] for line in read_lines(tmp_path / "run.jsonl")] == [2, 4]
    accelerator.save_state(tmp_path / "saved")
    found = report_file(tmp_path / "saved", None, {})  # each has a shape of its own
    assert found.rows == without_gradients(report(optimizer, net).rows)
