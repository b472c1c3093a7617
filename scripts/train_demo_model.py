"""Makes and judges the demo model that ships with Tokenwire. It is the command line alone: what is
taught, how, and how it is scored, is in the package `demo_model` beside it.
"""

from __future__ import annotations

import argparse
import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from demo_model.corpus import conversations
from demo_model.export import read, write
from demo_model.model import Shape
from demo_model.training import Plan, Trainer, fresh, train
from demo_model.vocabulary import learn
from tokenizers import Tokenizer
from torch import multiprocessing


_HOME = Path(__file__).resolve().parent.parent / "backend" / "tokenwire" / "demo_model"
_VOCABULARY = 5120
_TOKENIZER_CONVERSATIONS = 12_000


def main() -> None:
    arguments = _arguments()
    if arguments.eval:
        from demo_model.evaluation import evaluate

        evaluate(arguments.model, arguments.cases, arguments.only)
    else:
        _train(arguments)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=_HOME, help="where the model goes")
    parser.add_argument("--minutes", type=float, default=60, help="how long to train")
    parser.add_argument("--rate", type=float, default=3e-3, help="how fast to learn")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2, help="processes, one for each core")
    parser.add_argument("--checkpoint", type=Path, default=Path("demo_model.ckpt"))
    parser.add_argument("--resume", type=Path, help="a checkpoint, or a model, to go on from")
    parser.add_argument("--start", type=float, help="the share of the curriculum to go on at")
    parser.add_argument("--eval", action="store_true", help="score the model, write its README")
    parser.add_argument("--model", type=Path, default=_HOME, help="the model to score")
    parser.add_argument("--cases", type=int, default=120, help="cases for each skill")
    parser.add_argument("--only", default="", help="score only skills whose name has this in it")
    return parser.parse_args()


def _train(arguments: argparse.Namespace) -> None:
    words = _words(arguments.checkpoint)
    if arguments.resume:
        tokenizer = Tokenizer.from_file(str(_words(arguments.resume)))
    else:
        tokenizer = learn(
            islice(conversations(arguments.seed), _TOKENIZER_CONVERSATIONS), _VOCABULARY
        )
    tokenizer.save(str(words))
    with tempfile.TemporaryDirectory() as folder:
        meeting = f"file://{folder}/meeting"
        multiprocessing.spawn(_work, (arguments, meeting), nprocs=arguments.workers)


def _words(checkpoint: Path) -> Path:
    if checkpoint.is_dir():
        return checkpoint / "tokenizer.json"
    return checkpoint.with_suffix(".tokenizer.json")


def _work(worker: int, arguments: argparse.Namespace, meeting: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", meeting, rank=worker, world_size=arguments.workers)
    tokenizer = Tokenizer.from_file(str(_words(arguments.checkpoint)))
    trainer = _trainer(arguments, tokenizer, worker)

    def export(weights: dict[str, torch.Tensor]) -> None:
        write(arguments.out, trainer.model.shape, weights, tokenizer)

    train(trainer, tokenizer, arguments.checkpoint, export)
    dist.destroy_process_group()


def _state(path: Path) -> dict[str, Any]:
    return read(path) if path.is_dir() else torch.load(path, weights_only=True)


def _trainer(arguments: argparse.Namespace, tokenizer: Tokenizer, worker: int) -> Trainer:
    state: dict[str, Any] | None = None
    if arguments.resume:
        state = _state(arguments.resume)
    start = arguments.start
    if start is None:
        start = state.get("progress", 0.0) if state else 0.0
    shape = Shape(**state["shape"]) if state else Shape(vocabulary=tokenizer.get_vocab_size())
    plan = Plan(arguments.minutes, arguments.seed, arguments.rate, start=start)
    trainer = fresh(plan, shape, worker, arguments.workers)
    if state:
        trainer.restore(state)
    return trainer


if __name__ == "__main__":
    main()
