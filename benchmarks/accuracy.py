"""What a variant decides otherwise than the float model, on the photos that it was measured with.

`python -m benchmarks.accuracy` looks at them in a process of its own: a `Question` on standard input, an answer on
standard output.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from benchmarks import looking
from benchmarks.document.schema import Accuracy, Measure, PhotoSet
from benchmarks.looking import Answer
from benchmarks.reference import default_float
from benchmarks.subject import Subject
from edge_runtime import engines
from edge_runtime.bundles import bundle as bundles
from edge_runtime.bundles.bundle import Bundle
from edge_runtime.bundles.manifest import Proof
from edge_runtime.errors import CamtrapEdgeError
from edge_runtime.individuals.rates import wilson
from edge_runtime.models import loading
from edge_runtime.tuning import agreement, plan
from edge_runtime.values import Detection, Embedding, FileStamp, Species

PROOF = "proof of the bundle"
_TAIL = 300


class Question(msgspec.Struct, frozen=True):
    """One variant, the one that it is held against, and the photos."""

    bundle: str
    variant: str
    reference: str
    reference_variant: str
    threads: int
    card: str
    photos: tuple[tuple[str, int, int], ...]


def measure(subject: Subject, photos: Sequence[FileStamp], told: PhotoSet, *, cpus: int) -> Accuracy | None:
    """Hold a subject against its bundle's float variant; what none runs here for is taken from the bundle's proof.

    None where there is neither.

    Raises:
        CamtrapEdgeError: the models ran while they were measured, and now do not.
    """
    with tempfile.TemporaryDirectory(prefix="camtrap-edge-reference-") as folder:
        reference = _reference(subject.bundle, Path(folder))
        if reference is not None:
            name = reference.manifest.variants[0].name
            question = Question(
                str(subject.bundle.folder),
                subject.setup.variant,
                str(reference.folder),
                name,
                cpus,
                str(photos[0].card),
                tuple((str(each.path), each.size, each.mtime_ns) for each in photos),
            )
            return Accuracy(
                photos=told.name,
                photos_sha256=told.sha256,
                n=len(photos),
                against=f"{reference.manifest.name} {name}",
                how="measured",
                measures=_asked(question),
            )
    proof = subject.bundle.only(subject.setup.variant).manifest.variants[0].proof
    return None if proof is None else _of_proof(proof)


def _reference(bundle: Bundle, folder: Path) -> Bundle | None:
    """The float variant, as a bundle with nothing else; None where none runs here."""
    variant = plan.reference(bundle, engines.available())
    if variant.precision == "fp32":
        return bundle.only(variant.name)
    return default_float(folder / "float") if bundle.folder == loading.DEFAULT_DETECTOR else None


def _of_proof(proof: Proof) -> Accuracy:
    measures = tuple(
        Measure(name=each.name, value=each.value, n=each.n, low=each.low, high=each.high) for each in proof.measures
    )
    return Accuracy(
        photos="of the bundle's proof",
        photos_sha256=None,
        n=proof.samples,
        against=proof.against,
        how="proof of the bundle",
        measures=measures,
    )


def _asked(question: Question) -> tuple[Measure, ...]:
    command = [sys.executable, "-m", "benchmarks.accuracy"]
    done = subprocess.run(command, input=msgspec.json.encode(question), capture_output=True, check=False)
    if done.returncode != 0:
        last = " ".join(done.stderr.decode(errors="replace").split())[-_TAIL:]
        raise CamtrapEdgeError(f"{question.bundle}: accuracy could not be measured: {last}")
    return msgspec.json.decode(done.stdout, type=tuple[Measure, ...])


def main() -> int:
    """Answer one question; returns the exit code."""
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    stamps = [FileStamp(Path(question.card), PurePosixPath(path), size, ns) for path, size, ns in question.photos]
    sides = ((question.reference, question.reference_variant), (question.bundle, question.variant))
    threshold, answers = 0.0, []
    for folder, variant in sides:
        bundle = bundles.load(Path(folder), task=None).only(variant)
        threshold = bundle.manifest.thresholds.confident
        looker = looking.load(bundle, threads=question.threads, streams=1)
        answers.append([looker.look(stamp) for stamp in stamps])
    sys.stdout.buffer.write(msgspec.json.encode(compared(answers[0], answers[1], threshold=threshold)))
    return 0


def compared(reference: Sequence[Answer], candidate: Sequence[Answer], *, threshold: float) -> tuple[Measure, ...]:
    """How far two models' answers to the same photos agree.

    Args:
        threshold: from which on a detection counts.
    """
    if any(isinstance(each, tuple) for each in reference):
        return _boxes(reference, candidate, threshold)
    if any(isinstance(each, Embedding) for each in reference):
        return _directions(reference, candidate)
    same = sum(_name(one) == _name(other) for one, other in zip(reference, candidate, strict=True))
    return (_share("same answers", same, len(reference)),)


def _boxes(reference: Sequence[Any], candidate: Sequence[Any], threshold: float) -> tuple[Measure, ...]:
    found: list[Sequence[Sequence[Detection]]] = [reference, candidate]
    agreed = agreement.compare(*found, threshold=threshold)
    extra = Measure(name="extra boxes", value=float(agreed.extra), n=len(reference), low=None, high=None)
    if not agreed.boxes:
        return (extra,)
    return _share("boxes kept", agreed.boxes - agreed.missed, agreed.boxes), extra


def _directions(reference: Sequence[Any], candidate: Sequence[Any]) -> tuple[Measure, ...]:
    cosines = sorted(float(one.vector @ other.vector) for one, other in zip(reference, candidate, strict=True))
    n = len(cosines)
    return (
        Measure(name="cosine, least", value=cosines[0], n=n, low=None, high=None),
        Measure(name="cosine, median", value=cosines[n // 2], n=n, low=None, high=None),
    )


def _share(name: str, count: int, of: int) -> Measure:
    low, high = wilson(count, of)
    return Measure(name=name, value=count / of, n=of, low=low, high=high)


def _name(answer: Answer) -> str | None:
    return answer.name if isinstance(answer, Species) else None


if __name__ == "__main__":
    sys.exit(main())
