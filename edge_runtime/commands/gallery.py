"""`edge-runtime gallery`: the individuals that are known, and how well they are told apart."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from edge_runtime import console, settings
from edge_runtime.commands import gallery_text
from edge_runtime.errors import CamtrapEdgeError, GalleryError, PhotoError
from edge_runtime.individuals import enrolment, evaluation, exchange, identify
from edge_runtime.individuals.enrolment import Enroller, Wanted
from edge_runtime.individuals.gallery import FILE_NAME, Gallery
from edge_runtime.models import loading
from edge_runtime.settings import Cards, Models

EXAMPLES = """\
examples:
  edge-runtime gallery enrol -c device.yaml --species leopard photos/     sub-folders are names
  edge-runtime gallery enrol -c device.yaml --species leopard --name F12 a.jpg b.jpg --viewpoint left
  edge-runtime gallery enrol -c device.yaml animals.csv    file,name[,species,viewpoint,x,y,w,h] in pixels
  edge-runtime gallery list -c device.yaml --annotations
  edge-runtime gallery rename -c device.yaml --species leopard F12 Nala
  edge-runtime gallery merge -c device.yaml --species leopard Nala F13    F13 is Nala
  edge-runtime gallery split -c device.yaml --species leopard Nala F14 --ids 3,8
  edge-runtime gallery remove -c device.yaml --species leopard F14
  edge-runtime gallery export --gallery gallery.sqlite leopards/
  edge-runtime gallery import -c device.yaml leopards/ --keep-ours
  edge-runtime gallery calibrate -c device.yaml --false-accepts 0.01
  edge-runtime gallery evaluate -c device.yaml --json

Enrol photos of different visits: several of one burst make a gallery look better than it is."""


def add(commands: Any) -> None:
    """Put the command in."""
    parser = commands.add_parser(
        "gallery",
        help="known individuals: enrol, rename, merge, evaluate ...",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    enrol = _action(actions, "enrol", _enrol, "photos of animals whose names are known", species=True)
    enrol.add_argument("sources", type=Path, nargs="+", metavar="SOURCE", help="photos, a folder of folders, or a CSV")
    enrol.add_argument("--name", help="of the animal, where the sources are photos")
    enrol.add_argument("--viewpoint", default="", metavar="SIDE", help="left, right ... where the sides differ")
    enrol.add_argument("--whole", action="store_true", help="the animal fills the picture: do not look for it")
    enrol.add_argument("--embedder", metavar="BUNDLE", help="default: that of device.yaml, else `default`")
    enrol.add_argument("--detector", metavar="BUNDLE", help="default: that of device.yaml, else `default`")
    listing = _action(actions, "list", _list, "who is known", species=True)
    listing.add_argument("--annotations", action="store_true", help="each photo, with its number")
    rename = _action(actions, "rename", _rename, "call an animal otherwise", species=True)
    rename.add_argument("old")
    rename.add_argument("new")
    merge = _action(actions, "merge", _merge, "two names are one animal", species=True)
    merge.add_argument("into", help="the name that stays")
    merge.add_argument("other", help="the name that goes")
    split = _action(actions, "split", _split, "one name is two animals", species=True)
    split.add_argument("old")
    split.add_argument("new", help="name of the other animal")
    split.add_argument(
        "--ids", type=_numbers, required=True, metavar="N,N", help="its annotations, as `list` numbers them"
    )
    remove = _action(actions, "remove", _remove, "forget an animal, or some annotations of it", species=True)
    remove.add_argument("old", metavar="name")
    remove.add_argument("--ids", type=_numbers, metavar="N,N", help="only these annotations, as `list` numbers them")
    export = _action(actions, "export", _export, "everything into a new folder")
    export.add_argument("folder", type=Path)
    take = _action(actions, "import", _import, "what another gallery exported")
    take.add_argument("folder", type=Path)
    take.add_argument("--keep-ours", action="store_true", help="leave out what has another name here")
    evaluate = _action(
        actions, "evaluate", _evaluate, "one-vs-all: top-1..20 and mAP; strangers held out", species=True
    )
    evaluate.add_argument("--seed", type=int, default=0, metavar="N", help="of the choices (default 0)")
    calibrate = _action(
        actions, "calibrate", _calibrate, "measure from which score on a name is believed", species=True
    )
    calibrate.add_argument(
        "--false-accepts", type=_rate, metavar="P", help="strangers taken for a known animal (default 0.05); kept"
    )


def _action(
    actions: Any,
    name: str,
    run: Callable[[argparse.Namespace, Gallery], int],
    about: str,
    *,
    species: bool = False,
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=about)
    parser.add_argument("-c", "--config", type=Path, metavar="device.yaml", help="the device's settings")
    parser.add_argument(
        "--gallery", type=Path, metavar="FILE", help=f"default: {FILE_NAME} in the device's data folder"
    )
    if species:
        parser.add_argument("--species", metavar="NAME", help="as the classifier says it")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: device.yaml's, else all)")
    parser.add_argument("--json", action="store_true", help="print as JSON")
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.set_defaults(run=lambda arguments: _open(arguments, run, new=name in ("enrol", "import")))
    return parser


def _open(arguments: argparse.Namespace, run: Callable[[argparse.Namespace, Gallery], int], *, new: bool) -> int:
    """Fill in what `device.yaml` says, open the gallery, run the action; returns the exit code."""
    models, data, max_megapixels = Models(), None, Cards(root="").max_megapixels
    if arguments.config is not None:
        device = settings.read_device(arguments.config)
        models, data, max_megapixels = device.models, Path(device.data), device.cards.max_megapixels
    file = arguments.gallery or (data / FILE_NAME if data is not None else None)
    if file is None:
        raise CamtrapEdgeError("name the gallery with --gallery FILE, or the device's settings with -c device.yaml")
    if not new and not file.is_file():
        raise GalleryError(file, "does not exist", hint="`edge-runtime gallery enrol` makes it")
    arguments.models, arguments.max_pixels = models, int(max_megapixels * 1_000_000)
    arguments.threads = max(1, arguments.threads or models.threads)
    with closing(Gallery(file)) as gallery:
        return run(arguments, gallery)


def _enrol(arguments: argparse.Namespace, gallery: Gallery) -> int:
    wanted = list(_wanted(arguments))
    models: Models = arguments.models
    from_settings = models.embedder if models.embedder != "none" else "default"
    enroller = Enroller(
        loading.load_detector(arguments.detector or models.detector, threads=arguments.threads),
        loading.load_embedder(arguments.embedder or from_settings, threads=arguments.threads),
        pick="whole" if arguments.whole else "best-animal",
        confident=models.confidence,
        max_pixels=arguments.max_pixels,
    )
    gallery.check(enroller.made_by)
    added = known = 0
    failed: list[str] = []
    with console.progress_bar(unit="photo", about="enrolling", hidden=arguments.json) as bar:
        bar.total = len(wanted)
        for one in wanted:
            try:
                enrolled = gallery.enrol([enroller.read(one)], enroller.made_by)
            except (PhotoError, GalleryError) as error:
                failed.append(str(error))
            else:
                added, known = added + enrolled.added, known + enrolled.known
            bar.update()
    for problem in failed:
        sys.stderr.write(f"edge-runtime: {problem}\n")
    said = {"gallery": str(gallery.file), "added": added, "known": known, "failed": failed}
    text = f"{gallery.file}: {added} photos enrolled, {known} were there already, {len(failed)} failed\n"
    _say(arguments, said, text)
    return 1 if failed else 0


def _wanted(arguments: argparse.Namespace) -> Iterator[Wanted]:
    species, viewpoint = arguments.species or "", arguments.viewpoint
    for source in arguments.sources:
        if source.suffix.lower() == ".csv":
            yield from enrolment.from_table(source, species, viewpoint)
            continue
        if not species:
            raise CamtrapEdgeError(f"{source}: of which species? say it with --species")
        if source.is_dir():
            if arguments.name:
                raise CamtrapEdgeError(f"{source}: is a folder, its sub-folders are the names; leave out --name")
            yield from enrolment.from_folder(source, species, viewpoint)
        elif not arguments.name:
            raise CamtrapEdgeError(f"{source}: which animal is it? say it with --name")
        else:
            yield Wanted(source, species, arguments.name, viewpoint)


def _list(arguments: argparse.Namespace, gallery: Gallery) -> int:
    known = gallery.individuals(arguments.species)
    annotations = list(gallery.annotations(arguments.species)) if arguments.annotations else None
    made = gallery.made_by
    said = {
        "gallery": str(gallery.file),
        "embedder": None if made is None else asdict(made),
        "individuals": [asdict(one) for one in known],
    }
    if annotations is not None:
        said["annotations"] = [{**asdict(one), "sha256": one.sha256.hex()} for one in annotations]
    _say(arguments, said, gallery_text.listing(gallery.file, made, known, annotations))
    return 0


def _rename(arguments: argparse.Namespace, gallery: Gallery) -> int:
    species = _one_species(arguments, gallery)
    gallery.corrections.rename(species, arguments.old, arguments.new)
    return _changed(arguments, gallery, f"{species} '{arguments.old}' is now '{arguments.new}'")


def _merge(arguments: argparse.Namespace, gallery: Gallery) -> int:
    species = _one_species(arguments, gallery)
    gallery.corrections.merge(species, arguments.into, arguments.other)
    return _changed(arguments, gallery, f"{species} '{arguments.other}' is now '{arguments.into}' too")


def _split(arguments: argparse.Namespace, gallery: Gallery) -> int:
    species = _one_species(arguments, gallery)
    gallery.corrections.split(species, arguments.old, arguments.new, arguments.ids)
    return _changed(
        arguments, gallery, f"{species} '{arguments.new}' has {len(arguments.ids)} photos of '{arguments.old}'"
    )


def _remove(arguments: argparse.Namespace, gallery: Gallery) -> int:
    species = _one_species(arguments, gallery)
    gone = gallery.corrections.remove(species, arguments.old, arguments.ids)
    return _changed(arguments, gallery, f"{species} '{arguments.old}': {gone} photos forgotten")


def _export(arguments: argparse.Namespace, gallery: Gallery) -> int:
    count = exchange.write(gallery, arguments.folder)
    _say(
        arguments,
        {"folder": str(arguments.folder), "annotations": count},
        f"{arguments.folder}: {count} annotations\n",
    )
    return 0


def _import(arguments: argparse.Namespace, gallery: Gallery) -> int:
    done = exchange.read(gallery, arguments.folder, keep_ours=arguments.keep_ours)
    for conflict in done.conflicts:
        sys.stderr.write(f"edge-runtime: left out: {conflict}\n")
    left = f", {len(done.conflicts)} left out" if done.conflicts else ""
    text = f"{gallery.file}: {done.added} annotations taken, {done.known} were there already{left}\n"
    _say(arguments, {"gallery": str(gallery.file), **asdict(done)}, text)
    return 0


def _evaluate(arguments: argparse.Namespace, gallery: Gallery) -> int:
    species = None if arguments.species is None else (arguments.species,)
    made = evaluation.evaluate(gallery, threads=arguments.threads, seed=arguments.seed, species=species)
    _say(arguments, msgspec.to_builtins(made), gallery_text.evaluation(made))
    return 0


def _calibrate(arguments: argparse.Namespace, gallery: Gallery) -> int:
    rows: list[gallery_text.Measured] = []
    for species in gallery.species() if arguments.species is None else (arguments.species,):
        if arguments.false_accepts is not None:
            gallery.calibrations.want(species, arguments.false_accepts)
        sides = gallery.viewpoints(species)
        # What a device asks, which sees no side; and each side by itself where there are more.
        for viewpoint in (None, *(sides if len(sides) > 1 else ())):
            group = gallery.group(species, viewpoint)
            if group is None:
                raise GalleryError(gallery.file, f"knows no {species}", hint="`gallery list` names all")
            made = identify.calibrated(gallery, group, threads=arguments.threads)
            rows.append(gallery_text.Measured(species, viewpoint, len(group.names), len(group.matrix), made))
    _say(arguments, {"calibrations": msgspec.to_builtins(rows)}, gallery_text.calibrations(rows))
    return 0


def _one_species(arguments: argparse.Namespace, gallery: Gallery) -> str:
    """The species that was said, or the only one that there is."""
    if arguments.species is not None:
        return str(arguments.species)
    there = gallery.species()
    if len(there) != 1:
        raise GalleryError(gallery.file, f"holds {len(there)} species", hint="say which with --species")
    return there[0]


def _changed(arguments: argparse.Namespace, gallery: Gallery, what: str) -> int:
    _say(arguments, {"gallery": str(gallery.file), "done": what}, f"{gallery.file}: {what}\n")
    return 0


def _say(arguments: argparse.Namespace, said: object, text: str) -> None:
    sys.stdout.write(json.dumps(said) + "\n" if arguments.json else text)


def _numbers(text: str) -> frozenset[int]:
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdecimal() for word in words):
        raise argparse.ArgumentTypeError(f"'{text}' is no list of numbers like 3,8")
    return frozenset(map(int, words))


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no rate between 0 and 1")
    return rate
