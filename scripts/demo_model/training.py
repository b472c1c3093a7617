"""The training loop: lessons in batches of like length, a time limit, and one
worker for each core. It knows tensors and minutes and refuses to know what is being taught.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import asdict, dataclass
from random import Random
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import Tensor

from demo_model.circuit import wire
from demo_model.corpus import conversation
from demo_model.model import DemoModel, Shape
from demo_model.numbers import drill
from demo_model.vocabulary import UNCOUNTED, Lesson, drill_lesson, echo_lesson, lesson


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tokenizers import Tokenizer


_BATCH_TOKENS = 1024
_POOL = 256
_MEAN_DECAY = 0.99
_DECAY = 0.05
_USUAL_COUNT = 4000.0


@dataclass(frozen=True)
class Plan:
    """How long to train, and how fast to learn."""

    minutes: float
    seed: int
    rate: float = 3e-3
    cooling: float = 0.6
    warming: int = 60
    start: float = 0.0
    """The share of the curriculum that is already done, when training goes on."""


Batch = tuple[Tensor, Tensor, list[str]]


def batches(tokenizer: Tokenizer, seed: int, progress: Callable[[], float]) -> Iterator[Batch]:
    """Lessons of like length together, so that little is padding and no lesson sees another."""
    rng = Random(seed)
    while True:
        at = progress()
        longest = 250 if at < 0.2 else 500 if at < 0.6 else 1100 if at < 0.8 else 1900
        drilled = 0.16 if at < 0.8 else 0.08
        echoed = 0.3 if at < 0.3 else 0.1
        pool: list[Lesson] = []
        while len(pool) < _POOL:
            chance = rng.random()
            if chance < echoed:
                made = echo_lesson(tokenizer, rng)
            elif chance < echoed + drilled:
                made = drill_lesson(tokenizer, drill(rng, 20))
            else:
                made = lesson(tokenizer, conversation(rng))
            if len(made.tokens) <= longest:
                pool.append(made)
        pool.sort(key=lambda item: len(item.tokens))
        groups = list(_grouped(pool))
        rng.shuffle(groups)
        for group in groups:
            yield _padded(group)


def _grouped(pool: list[Lesson]) -> Iterator[list[Lesson]]:
    group: list[Lesson] = []
    for item in pool:
        if group and len(item.tokens) * (len(group) + 1) > _BATCH_TOKENS:
            yield group
            group = []
        group.append(item)
    yield group


def _padded(group: list[Lesson]) -> Batch:
    width = max(len(item.tokens) for item in group)
    tokens = torch.zeros(len(group), width, dtype=torch.long)
    targets = torch.full((len(group), width), UNCOUNTED)
    skills: list[str] = []
    for row, item in enumerate(group):
        tokens[row, : len(item.tokens)] = torch.tensor(item.tokens)
        targets[row, : len(item.targets)] = torch.tensor(item.targets)
        skills += [s for s, t in zip(item.skills, item.targets, strict=True) if t >= 0]
    return tokens, targets, skills


class Trainer:
    """A model, its optimizers and the running mean of its weights, which is what is shipped.

    Workers each take a batch and add up their gradients. One thread each and one meeting a step
    stay quick on a machine that others use too, where threads that meet at every operation do not.
    """

    def __init__(self, model: DemoModel, plan: Plan, worker: int = 0, workers: int = 1) -> None:
        self.model = model
        self.plan = plan
        self.worker = worker
        self.workers = workers
        self.steps = 0
        self.seen = 0
        self.parameters = list(model.parameters())
        # A rare word must not fade while it is not seen.
        layers = [p for p in model.model.layers.parameters() if p.dim() > 1]
        known = {id(p) for p in layers}
        spared = [p for p in self.parameters if id(p) not in known]
        groups = [
            {"params": layers, "weight_decay": _DECAY},
            {"params": spared, "weight_decay": 0.0},
        ]
        self.adam = torch.optim.AdamW(groups, betas=(0.9, 0.98))
        self.mean = {name: value.detach().clone() for name, value in model.state_dict().items()}

    def step(self, batch: Batch, progress: float) -> tuple[float, dict[str, tuple[float, int]]]:
        """One update from each worker's batch; the common progress, and this worker's losses."""
        tokens, targets, skills = batch
        with torch.autocast("cpu", dtype=torch.bfloat16):
            losses, _ = self.model.losses(tokens, targets)
        (losses.sum() / _USUAL_COUNT).backward()
        self.seen += tokens.numel() * self.workers
        common = self._meet(len(skills), progress)
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self._update(heat(self.plan, self.steps, common))
        self.steps += 1
        self._average()
        by_skill: dict[str, tuple[float, int]] = defaultdict(lambda: (0.0, 0))
        for skill, loss in zip(skills, losses.detach().tolist(), strict=True):
            total, count = by_skill[skill]
            by_skill[skill] = (total + loss, count + 1)
        return common, by_skill

    def _meet(self, counted: int, progress: float) -> float:
        """Adds up the workers' gradients, as a mean over every counted token."""
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        facts = torch.tensor([counted / _USUAL_COUNT, progress / self.workers])
        flat = torch.cat([*(gradient.flatten() for gradient in gradients), facts])
        self._add(flat)
        flat[:-2] /= flat[-2]
        for gradient, part in zip(gradients, _parts(flat, gradients), strict=True):
            gradient.copy_(part)
        return float(flat[-1])

    def _update(self, warmth: float) -> None:
        for group in self.adam.param_groups:
            group["lr"] = self.plan.rate * warmth
        self.adam.step()
        for parameter in self.parameters:
            parameter.grad = None

    def _add(self, flat: Tensor) -> None:
        if self.workers > 1:
            dist.all_reduce(flat)

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(_MEAN_DECAY, self.steps / (self.steps + 10))
        for name, value in self.model.state_dict().items():
            self.mean[name].lerp_(value, 1 - decay)

    def save(self, path: Path, progress: float) -> None:
        state: dict[str, Any] = {
            "shape": asdict(self.model.shape),
            "model": self.model.state_dict(),
            "mean": self.mean,
            "adam": self.adam.state_dict(),
            "steps": self.steps,
            "seen": self.seen,
            "progress": progress,
        }
        torch.save(state, path.with_suffix(".part"))
        path.with_suffix(".part").replace(path)

    def restore(self, state: dict[str, Any]) -> None:
        """From a checkpoint, or from weights alone, which learn on with a fresh optimizer."""
        self.model.load_state_dict(state["model"])
        self.mean = state["mean"]
        if "adam" not in state:
            return
        self.adam.load_state_dict(state["adam"])
        self.steps, self.seen = state["steps"], state["seen"]


def heat(plan: Plan, steps: int, progress: float) -> float:
    """Warm up, hold, then cool to nothing over the last part of the time."""
    warm = min(1.0, (steps + 1) / plan.warming)
    return warm * max(0.0, min(1.0, (1 - progress) / plan.cooling))


def train(
    trainer: Trainer,
    tokenizer: Tokenizer,
    checkpoint: Path,
    export: Callable[[dict[str, Tensor]], None],
    export_minutes: float = 5.0,
) -> None:
    """Trains until the plan's time is over; exports the mean weights every few minutes."""
    plan = trainer.plan
    began = exported = reported = time.monotonic()

    def progress() -> float:
        passed = (time.monotonic() - began) / 60 / plan.minutes
        return plan.start + (1 - plan.start) * passed

    source = batches(tokenizer, plan.seed + 1000 * trainer.steps + trainer.worker, progress)
    sums: dict[str, tuple[float, int]] = defaultdict(lambda: (0.0, 0))
    at = 0.0
    while at < 1:
        at, by_skill = trainer.step(next(source), progress())
        if trainer.worker:
            continue
        for skill, (loss, count) in by_skill.items():
            sums[skill] = (sums[skill][0] + loss, sums[skill][1] + count)
        now = time.monotonic()
        if now - reported > 60:
            reported = now
            _report(trainer, at, now - began, sums)
            sums.clear()
        if now - exported > export_minutes * 60 or at >= 1:
            exported = now
            trainer.save(checkpoint, min(at, 1.0))
            export(trainer.mean)


def _parts(flat: Tensor, like: list[Tensor]) -> list[Tensor]:
    """The flat numbers again in the shapes of the list; what is left over stays out."""
    sizes = [tensor.numel() for tensor in like]
    pieces = flat[: sum(sizes)].split(sizes)
    return [piece.view_as(tensor) for piece, tensor in zip(pieces, like, strict=True)]


def _report(
    trainer: Trainer, at: float, seconds: float, sums: dict[str, tuple[float, int]]
) -> None:
    total, count = (sum(part) for part in zip(*sums.values(), strict=True))
    skills = " ".join(f"{skill}={loss / n:.3f}" for skill, (loss, n) in sorted(sums.items()))
    print(
        f"{seconds / 60:5.1f} min {at:6.1%} step {trainer.steps} {trainer.seen / 1e6:.2f} M tokens "
        f"loss {total / count:.3f} | {skills}",
        flush=True,
    )


def fresh(plan: Plan, shape: Shape, worker: int, workers: int) -> Trainer:
    """A trainer with new weights, the same in every worker."""
    torch.manual_seed(plan.seed)
    model = DemoModel(shape)
    wire(model, plan.seed)
    return Trainer(model, plan, worker, workers)
