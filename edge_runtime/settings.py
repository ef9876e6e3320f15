"""What a person sets: `device.yaml` for the device, `station.yaml` for the ranger station."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from edge_runtime import checked_yaml

Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}\Z")]
"""Names that travel in MQTT topics: small letters, digits, `-`, `_`; at most 32."""
Seconds = Annotated[float, msgspec.Meta(ge=0, le=86400)]
Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)]
Latitude = Annotated[float, msgspec.Meta(ge=-90, le=90)]
Longitude = Annotated[float, msgspec.Meta(ge=-180, le=180)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Decode = Literal["reduced", "full"]
"""`reduced`: a JPEG is decoded at the least scale that has all the pixels that the detector looks at, and once more,
larger, where a classifier's crop wants more. `full`: all pixels, as in the programs for which published detectors were
made."""

Prefilter = Literal["off", "burst"]
"""`off`: every photo is shown to the detector. `burst`: but for those of a burst in which nothing changed since one in
which it found nothing; they are recorded as empty, and counted and marked as passed over."""

EvidenceRule = Literal["mean-log", "majority"]
"""`mean-log`: the mean of the frames' log-probabilities answers as one frame's probabilities do. `majority`: each frame
votes with its own answer, as in the paper on Pytorch-Wildlife (arXiv:2405.12930), which votes over a video's frames."""


def cores() -> int:
    """CPU cores that this process may use, 64 at most."""
    return min(64, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of all settings: unknown keys are errors, values never change."""


class Cards(Settings, frozen=True, kw_only=True):
    """Where cards appear and how their files are believed."""

    root: str
    """Folder that is watched: one card's mount point, or a folder under which cards are mounted."""
    rescan_seconds: Annotated[float, msgspec.Meta(ge=0.1, le=86400)] = 20.0
    """The folder is scanned at least this often; a file-system event only makes it sooner."""
    settle_seconds: Seconds = 10.0
    """An unfinished file that has not changed for this long is reported as damaged."""
    max_megapixels: Annotated[float, msgspec.Meta(gt=0, le=1000)] = 200.0
    """A photo with more is refused before it is decoded."""


class Camera(Settings, frozen=True, kw_only=True):
    """Names a camera by the folder or the serial number of its photos."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
    folder: str | None = None
    """Pattern with `*` over the folder relative to the watched root."""
    serial: str | None = None
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    """Where it hangs, degrees of WGS 84; the package for ecologists (Camtrap DP) wants both."""


class Place(Settings, frozen=True, kw_only=True):
    """Where a camera hangs."""

    name: str
    """The camera's, as reports show it."""
    latitude: Latitude
    longitude: Longitude
    """Degrees of WGS 84."""


class Project(Settings, frozen=True, kw_only=True):
    """What reports say of the study that the cameras belong to; also a file of its own (`--project`)."""

    title: str = "Camera traps"
    description: str = ""
    contributor: str = ""
    """Person or organisation; the device's name where unset."""
    sampling_design: Literal[
        "simpleRandom", "systematicRandom", "clusteredRandom", "experimental", "targeted", "opportunistic"
    ] = "opportunistic"
    capture_method: Literal["activityDetection", "timeLapse"] = "activityDetection"
    data_license: str = ""
    media_license: str = ""
    """Names of licences as the Open Definition has them (`CC-BY-4.0`); given together or not at all."""
    cameras: tuple[Place, ...] = ()
    """Places of cameras beside those that the device's own `cameras` tell."""


class Models(Settings, frozen=True, kw_only=True):
    """Which bundles infer."""

    detector: str = "default"
    """`default`, or a bundle's folder."""
    classifier: str = "default"
    """`default`, `none`, or a bundle's folder."""
    embedder: str = "none"
    """`none`: nobody is identified; `default` (the default classifier's features), or the folder of a bundle with an
    `embedding` part."""
    threads: Annotated[int, msgspec.Meta(ge=1, le=64)] = msgspec.field(default_factory=cores)
    """CPU threads that inference may keep busy; all that the process may use where unset."""
    engine: str = "auto"
    """`auto`: what `edge-runtime tune` found best here, else the detector bundle's first variant that runs here; or the
    name of a variant or an engine that must be taken."""
    decode: Decode = "reduced"
    """How much of a photo is decoded."""
    confidence: Fraction | None = None
    """Least confidence of a detection that counts; the detector bundle's own where unset."""
    allowed: str | None = None
    """File with the names, one a line, that the classifier may answer with here; all where unset."""


class Events(Settings, frozen=True, kw_only=True):
    gap_seconds: Annotated[int, msgspec.Meta(ge=1, le=86400)] = 60
    """Photos of one camera closer together than this belong to one event."""
    rule: EvidenceRule = "mean-log"
    """How the frames of one animal decide its species together."""


class Repeats(Settings, frozen=True, kw_only=True):
    """When what is found in the same place of a camera's view is held back: a branch, not an animal."""

    iou: Annotated[float, msgspec.Meta(ge=0.5, le=1)] = 0.9
    """Two boxes are the same place from this IoU on."""
    times: Annotated[int, msgspec.Meta(ge=2, le=100_000)] = 20
    """Events in which it has to be found."""
    area: Fraction = 0.2
    """A box with a larger share of the photo is never held back."""


class Videos(Settings, frozen=True, kw_only=True):
    """Which frames of a video are looked at."""

    every_seconds: Annotated[float, msgspec.Meta(ge=0.01, le=86400)] = 1.0
    """One frame each."""
    max_frames: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 60
    """Of a longer video so many, evenly spread."""


class Power(Settings, frozen=True, kw_only=True):
    """How much of the board the device leaves to others."""

    nice: Annotated[int, msgspec.Meta(ge=0, le=19)] = 0
    """0 takes its share of the processor, 19 only what nobody else wants."""
    disk: Literal["normal", "low", "idle"] = "normal"
    """`low`: reads and writes after everybody else; `idle`: only while nobody else does."""


class Tls(Settings, frozen=True, kw_only=True):
    ca: str
    """File of the authority that signed the broker's certificate."""
    certificate: str | None = None
    key: str | None = None


class Broker(Settings, frozen=True, kw_only=True):
    """How to reach the MQTT broker."""

    host: str = "127.0.0.1"
    port: Port = 1883
    user: str | None = None
    password_file: str | None = None
    tls: Tls | None = None
    keepalive_seconds: Annotated[int, msgspec.Meta(ge=5, le=65535)] = 60


BrokerT = TypeVar("BrokerT", bound=Broker)


class Uplink(Broker, frozen=True, kw_only=True):
    """The device's way to a station."""

    max_payload: Annotated[int, msgspec.Meta(ge=51, le=8192)] = 340
    """Bytes of one message; summaries are packed until it is full."""
    window: Annotated[int, msgspec.Meta(ge=1, le=64)] = 8
    """Messages on their way to the station at one time."""
    ack_timeout_seconds: Annotated[float, msgspec.Meta(ge=0.5, le=3600)] = 20.0
    """A message that no station has acknowledged after this long is sent again."""
    reconnect_min_seconds: Annotated[float, msgspec.Meta(ge=0.1, le=3600)] = 1.0
    reconnect_max_seconds: Annotated[float, msgspec.Meta(ge=0.1, le=86400)] = 120.0
    drain_seconds: Seconds = 120.0
    """How long `--until-idle` waits for the station's acknowledgement before it gives up."""


class DeviceSettings(Settings, frozen=True, kw_only=True):
    """`device.yaml`."""

    device: Name
    data: str
    """Folder of the journal; made where it is missing."""
    cards: Cards
    time_zone: str
    """The zone that the cameras' clocks are set to, for example `Africa/Nairobi`."""
    cameras: tuple[Camera, ...] = ()
    models: Models = Models()
    events: Events = Events()
    videos: Videos = Videos()
    prefilter: Prefilter = "off"
    repeats: Repeats | Literal["off"] = Repeats()
    power: Power = Power()
    project: Project = Project()
    uplink: Uplink = Uplink()


class Web(Settings, frozen=True, kw_only=True):
    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 8080
    """0 takes any free port."""


class StationSettings(Settings, frozen=True, kw_only=True):
    """`station.yaml`."""

    station: Name = "station"
    data: str
    """Folder of the station's store; made where it is missing."""
    time_zone: str = "UTC"
    """The zone in which the page shows times."""
    broker: Broker = Broker()
    web: Web = Web()
    silent_hours: Annotated[float, msgspec.Meta(gt=0, le=87600)] = 48.0
    """A device that was not heard for this long is shown as silent."""


def read_device(file: Path) -> DeviceSettings:
    """Read and check `device.yaml`; its relative paths count from its own folder.

    Raises:
        ConfigError: with file, line and key.
    """
    settings = checked_yaml.read(file, DeviceSettings)
    _check_zone(settings.time_zone, file)
    _check_broker(settings.uplink, file, "uplink")
    for index, camera in enumerate(settings.cameras):
        if (camera.folder is None) == (camera.serial is None):
            raise checked_yaml.error_at(file, f"cameras.{index}", "give either 'folder' or 'serial'")
        if (camera.latitude is None) != (camera.longitude is None):
            raise checked_yaml.error_at(file, f"cameras.{index}", "'latitude' and 'longitude' go together")
    _check_project(settings.project, file, "project.")
    if settings.uplink.reconnect_max_seconds < settings.uplink.reconnect_min_seconds:
        raise checked_yaml.error_at(file, "uplink.reconnect_max_seconds", "less than reconnect_min_seconds")
    here = file.parent
    models = settings.models
    return msgspec.structs.replace(
        settings,
        data=str(here / settings.data),
        cards=msgspec.structs.replace(settings.cards, root=str(here / settings.cards.root)),
        models=msgspec.structs.replace(
            models,
            detector=_bundle_path(here, models.detector),
            classifier=_bundle_path(here, models.classifier),
            embedder=_bundle_path(here, models.embedder),
            allowed=None if models.allowed is None else str(here / models.allowed),
        ),
        uplink=_resolve_broker(here, settings.uplink),
    )


def read_station(file: Path) -> StationSettings:
    """Read and check `station.yaml`; its relative paths count from its own folder.

    Raises:
        ConfigError: with file, line and key.
    """
    settings = checked_yaml.read(file, StationSettings)
    _check_zone(settings.time_zone, file)
    _check_broker(settings.broker, file, "broker")
    here = file.parent
    return msgspec.structs.replace(
        settings, data=str(here / settings.data), broker=_resolve_broker(here, settings.broker)
    )


def read_project(file: Path) -> Project:
    """Read and check a file that describes a project: the keys of `Project` and its cameras' places.

    Raises:
        ConfigError: with file, line and key.
    """
    project = checked_yaml.read(file, Project)
    _check_project(project, file, "")
    return project


def _check_project(project: Project, file: Path, section: str) -> None:
    if bool(project.data_license) != bool(project.media_license):
        raise checked_yaml.error_at(file, f"{section}data_license", "goes together with 'media_license'")


def _bundle_path(here: Path, name: str) -> str:
    return name if name in ("default", "none") else str(here / name)


def _resolve_broker(here: Path, broker: BrokerT) -> BrokerT:
    tls = broker.tls
    if tls is not None:
        tls = msgspec.structs.replace(
            tls,
            ca=str(here / tls.ca),
            certificate=str(here / tls.certificate) if tls.certificate else None,
            key=str(here / tls.key) if tls.key else None,
        )
    password = str(here / broker.password_file) if broker.password_file else None
    return msgspec.structs.replace(broker, tls=tls, password_file=password)


def _check_zone(name: str, file: Path) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise checked_yaml.error_at(
            file, "time_zone", f"'{name}' is no time zone", hint="write it like Africa/Nairobi or UTC"
        ) from error


def _check_broker(broker: Broker, file: Path, section: str) -> None:
    if broker.user is None and broker.password_file is not None:
        raise checked_yaml.error_at(file, f"{section}.password_file", "a password needs a 'user' beside it")
    if broker.tls and (broker.tls.certificate is None) != (broker.tls.key is None):
        raise checked_yaml.error_at(file, f"{section}.tls", "'certificate' and 'key' go together")
