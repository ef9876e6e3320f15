"""`python -m export_tools.default_models.evaluate`: run the detectors, score them, print the table."""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from edge_runtime import console
from edge_runtime.bundles import bundle as bundles
from edge_runtime.bundles.bundle import Bundle
from edge_runtime.models.loading import DEFAULT_CLASSIFIER, DEFAULT_DETECTOR
from export_tools.accuracy import latency, photos, running
from export_tools.accuracy.average_precision import Found
from export_tools.accuracy.photos import EvaluationPhotos, LabelledPhoto
from export_tools.default_models import classifier_report
from export_tools.default_models.classifier_report import ClassifierReport
from export_tools.default_models.evaluate import bars, scoring, table
from export_tools.default_models.evaluate.figures import AGAINST, DEFAULT, FLOAT, Report, as_document, jsonable
from export_tools.default_models.evaluate.scoring import Answers

PROGRAM = "evaluate"
FLOAT_GRAPH = Path(__file__).parent.parent / "detector" / "float.onnx"
YOLOX = Path("tryout-data/yolox-nano")
BAR_FAILED = 1
_TIMED_PHOTOS = 5
EXAMPLES = """\
  python -m export_tools.default_models.evaluate --assets ../shared/assets
  python -m export_tools.default_models.evaluate --assets ASSETS --detector MINE --against OTHER --strict"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    arguments = _parser().parse_args(argv)
    return console.run(PROGRAM, lambda: _run(arguments), verbose=arguments.verbose, level=logging.WARNING)


def _parser() -> argparse.ArgumentParser:
    parser = console.parser(
        f"python -m export_tools.default_models.{PROGRAM}",
        "How good the default detector is on the evaluation photos, beside another one.",
        EXAMPLES,
    )
    parser.add_argument("--assets", type=Path, required=True, metavar="DIR", help="folder of photos and their truth")
    parser.add_argument("--detector", type=Path, default=DEFAULT_DETECTOR, metavar="BUNDLE", help="the one to judge")
    parser.add_argument("--against", type=Path, default=YOLOX, metavar="BUNDLE", help=f"default: {YOLOX}")
    parser.add_argument(
        "--float",
        type=Path,
        dest="float_graph",
        metavar="GRAPH.onnx",
        help="the judged detector before quantization (default: detector/float.onnx of this package where it exists)",
    )
    parser.add_argument(
        "--classifier", default=str(DEFAULT_CLASSIFIER), metavar="BUNDLE", help="'none': detectors only"
    )
    parser.add_argument("--rounds", type=int, default=latency.ROUNDS, metavar="N", help="runs for latency; 0: none")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--strict", action="store_true", help="exit code 1 unless every bar holds")
    parser.add_argument("-v", "--verbose", action="store_true")
    return parser


def _run(arguments: argparse.Namespace) -> int:
    labelled = photos.evaluation(arguments.assets)
    people = photos.held_back(arguments.assets, sources=photos.PEOPLE_SOURCES)
    detectors = _detectors(arguments)
    report = evaluate(detectors, labelled, people, rounds=arguments.rounds)
    species = _classifier(arguments.classifier, arguments.assets)
    if arguments.json:
        print(json.dumps({**as_document(report), "classifier": species and jsonable(dataclasses.asdict(species))}))
    else:
        print(table.render(report, classifier=classifier_report.table(species) if species else "left out"))
    return BAR_FAILED if arguments.strict and not all(bar.holds for bar in report.bars) else 0


def _classifier(name: str, assets: Path) -> ClassifierReport | None:
    if name == "none":
        return None
    return classifier_report.report(bundles.load(Path(name), task="classifier"), assets, assets / "training")


def _detectors(arguments: argparse.Namespace) -> dict[str, Bundle]:
    default = bundles.load(arguments.detector, task="detector")
    found = {DEFAULT: default}
    packaged = FLOAT_GRAPH if arguments.detector == DEFAULT_DETECTOR and FLOAT_GRAPH.is_file() else None
    if graph := arguments.float_graph or packaged:
        found[FLOAT] = running.with_graph(default, graph)
    found[AGAINST] = bundles.load(arguments.against, task="detector")
    return found


def evaluate(
    detectors: dict[str, Bundle],
    labelled: EvaluationPhotos,
    people: Sequence[LabelledPhoto],
    *,
    rounds: int = latency.ROUNDS,
) -> Report:
    """Run, score and time the detectors (by role: default, float where there is one, against).

    Raises:
        CamtrapEdgeError: a photo or a graph cannot be used; names the file.
    """
    sets = {"labelled": labelled.labelled, "empty": labelled.empty, "people": people}
    found: dict[str, dict[str, list[Found]]] = {}
    for title, chosen in sets.items():
        found[title] = running.run(detectors, tqdm(chosen, desc=f"{title} photos", unit="photo"))
    answers = {
        role: Answers(
            labelled=found["labelled"][role],
            empty=found["empty"][role],
            people=found["people"][role],
            threshold=bundle.manifest.thresholds.confident,
        )
        for role, bundle in detectors.items()
    }
    timed = [running.read(photo.file) for photo in labelled.labelled[:: -(-len(labelled.labelled) // _TIMED_PHOTOS)]]
    graphs = {role: bundle.variant(frozenset({"onnxruntime"})) for role, bundle in detectors.items()}
    report = Report(
        titles={role: bundle.title for role, bundle in detectors.items()},
        megabytes={role: graph.bytes / 1e6 for role, graph in graphs.items()},
        counts=scoring.count(labelled, people),
        strata=scoring.score_strata(labelled.labelled, answers),
        operating=scoring.score_thresholds(labelled, people, answers),
        timings=tuple(latency.measure(detectors, timed, rounds=rounds)) if rounds else (),
    )
    return dataclasses.replace(report, bars=bars.judge(report))
