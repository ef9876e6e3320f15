"""`edge-station broker`, `provision`, `rotate`, `revoke` and `devices`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from edge_runtime import settings
from edge_runtime.errors import CamtrapEdgeError
from edge_runtime.settings import StationSettings
from edge_runtime.station.provisioning import broker_files, device_folder, reload
from edge_runtime.station.provisioning.values import DEVICE_DAYS, Carried, Places, Standing, Wanted

if TYPE_CHECKING:
    from edge_runtime.station.provisioning.office import Office

CONFIG = Path("/etc/edge-station/station.yaml")
AUTHORITY, SECRET = "ca", "broker-password.txt"
SOON_DAYS = 90
"""A certificate that ends within this time is pointed out."""

EXAMPLES = {
    "broker": """\
  sudo edge-station broker --host station.local --host 10.0.0.1 --install deploy/mosquitto
                                       all that mosquitto needs, its configuration too; then restart it
  sudo edge-station broker --host 10.1.0.1 --reload
                                       devices reach the station by another address from now on, too""",
    "provision": """\
  sudo edge-station provision hut-1 -o /media/stick/hut-1
                                       certificate, key and settings, ready to be carried to the device
  sudo edge-station provision hut-1 --host 10.0.0.1 --time-zone Africa/Nairobi --zip
  sudo edge-station provision hut-1 --replace --reload
                                       anew, as for a new board; what the old one has is refused""",
    "rotate": """\
  sudo edge-station rotate hut-1 -o /media/stick/hut-1 --reload
                                       what waits on the device goes out once it has the new key""",
    "revoke": """\
  sudo edge-station revoke hut-1 --reload
                                       stolen or lost: refused from now on, its open connection ended""",
    "devices": """\
  sudo edge-station devices
  sudo edge-station devices --json | jq '.[] | select(.days_left < 90).device'""",
}


def add_to(commands: Any) -> list[argparse.ArgumentParser]:
    """Add the commands to the program's sub-parsers (what `add_subparsers` gave)."""
    broker = _command(commands, "broker", "make what mosquitto needs: authority, certificate, rules, configuration")
    _reaching(broker)
    broker.add_argument(
        "--install", type=Path, metavar="FOLDER", help="put edge.conf and edge.acl of this folder (deploy/mosquitto) in"
    )
    broker.add_argument(
        "--config-folder",
        type=Path,
        default=broker_files.CONFIG_FOLDER,
        metavar="FOLDER",
        help="where mosquitto looks for edge.conf (default: %(default)s)",
    )

    provision = _command(commands, "provision", "let a device in: its certificate, key and settings, for a stick")
    provision.add_argument("device", metavar="DEVICE", help="small letters, digits, - and _, at most 32")
    _reaching(provision)
    provision.add_argument("--time-zone", metavar="ZONE", help="of the cameras' clocks (default: the station's)")
    provision.add_argument(
        "--cards", default="/media/edge-cards", metavar="FOLDER", help="watched on the device (%(default)s)"
    )
    provision.add_argument("--replace", action="store_true", help="anew; what the device has is refused from then on")

    rotate = _command(commands, "rotate", "give a device a new key; the old one is refused")
    revoke = _command(commands, "revoke", "shut a device out")
    for each in (rotate, revoke):
        each.add_argument("device", metavar="DEVICE")
    for each in (provision, rotate):
        each.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="default: DEVICE-SERIAL, here")
        each.add_argument("--zip", action="store_true", help="one file FOLDER.zip that keeps the permissions")
        each.add_argument("--days", type=_days, default=DEVICE_DAYS, metavar="N", help="good so long (%(default)s)")

    devices = _command(commands, "devices", "list the devices that were let in, and when their certificates end")
    devices.add_argument("--json", action="store_true", help="print as JSON")

    changing = (broker, provision, rotate, revoke)
    for each in changing:
        each.add_argument("--reload", action="store_true", help="let the running mosquitto know at once")
        each.add_argument("--pid-file", type=Path, default=reload.PID_FILE, metavar="FILE", help="(%(default)s)")
    return [*changing, devices]


def _command(commands: Any, name: str, about: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = commands.add_parser(
        name,
        help=about,
        description=f"{about[0].upper()}{about[1:]}.",
        epilog=f"examples:\n{EXAMPLES[name]}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("-c", "--config", type=Path, default=CONFIG, metavar="station.yaml", help="(%(default)s)")
    made.add_argument("--ca", type=Path, metavar="FOLDER", help="keys and register (default: ca in the station's data)")
    made.add_argument(
        "--broker-folder",
        type=Path,
        default=broker_files.FOLDER,
        metavar="FOLDER",
        help="what mosquitto reads (%(default)s)",
    )
    return made


def _reaching(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host",
        action="append",
        default=[],
        metavar="NAME",
        help="host name or IP by which devices reach this station; may be given again; those of before stay",
    )
    parser.add_argument("--port", type=_port, metavar="N", help="by which devices reach it (8883, or as before)")


def _days(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= 36500:
        return int(text)
    raise argparse.ArgumentTypeError(f"'{text}' is no number of days from 1 to 36500")


def _port(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= 65535:
        return int(text)
    raise argparse.ArgumentTypeError(f"'{text}' is no port from 1 to 65535")


def _office(arguments: argparse.Namespace, chosen: StationSettings) -> Office:
    try:
        # An extra of the station: the device has the rest of this command without it.
        from edge_runtime.station.provisioning.office import Office
    except ModuleNotFoundError as error:
        raise CamtrapEdgeError(f"{error}; install the station's parts: pip install 'camtrap-edge[station]'") from error
    data = Path(chosen.data)
    places = Places(arguments.ca or data / AUTHORITY, arguments.broker_folder, data / SECRET)
    return Office(places, chosen.station)


def _broker(arguments: argparse.Namespace) -> int:
    chosen = settings.read_station(arguments.config)
    office = _office(arguments, chosen)
    reach = office.prepare(arguments.host, arguments.port)
    print(f"devices reach the broker at {', '.join(reach.hosts)}, port {reach.port}")
    if arguments.install is not None:
        config = broker_files.install(
            arguments.install,
            arguments.config_folder,
            folder=arguments.broker_folder,
            device_port=reach.port,
            station_port=chosen.broker.port,
        )
        print(f"{config} is in place; it counts once mosquitto was restarted: sudo systemctl restart mosquitto")
    _tell_about_station(chosen)
    if arguments.install is None or arguments.reload:
        _reload(arguments, office, chosen)
    return 0


def _tell_about_station(chosen: StationSettings) -> None:
    secret = (Path(chosen.data) / SECRET).resolve()
    told = chosen.broker.password_file
    if chosen.broker.user != broker_files.STATION_USER or told is None or Path(told).resolve() != secret:
        print("station.yaml needs, under `broker`:")
        print(f"  user: {broker_files.STATION_USER}\n  password_file: {json.dumps(str(secret), ensure_ascii=False)}")


def _provision(arguments: argparse.Namespace) -> int:
    chosen = settings.read_station(arguments.config)
    zone = arguments.time_zone or chosen.time_zone
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise CamtrapEdgeError(f"--time-zone: '{zone}' is no time zone; write it like Africa/Nairobi") from error
    office = _office(arguments, chosen)
    carried = office.provision(
        arguments.device,
        device_folder.Settings(zone, arguments.cards),
        _wanted(arguments),
        hosts=arguments.host,
        port=arguments.port,
        replace=arguments.replace,
    )
    _tell_carried(carried)
    _reload(arguments, office, chosen, ended=arguments.device if carried.revoked else None)
    return 0


def _rotate(arguments: argparse.Namespace) -> int:
    chosen = settings.read_station(arguments.config)
    office = _office(arguments, chosen)
    carried = office.rotate(arguments.device, _wanted(arguments))
    _tell_carried(carried)
    print("put these in the place of the device's old ones; its device.yaml stays, and so does what waits to be sent")
    _reload(arguments, office, chosen, ended=arguments.device)
    return 0


def _revoke(arguments: argparse.Namespace) -> int:
    chosen = settings.read_station(arguments.config)
    office = _office(arguments, chosen)
    number = office.revoke(arguments.device)
    print(f"{arguments.device} is refused{' from now on' if number else ' already'}")
    _reload(arguments, office, chosen, ended=arguments.device)
    return 0


def _devices(arguments: argparse.Namespace) -> int:
    standings = _office(arguments, settings.read_station(arguments.config)).standings()
    now = datetime.now(timezone.utc)
    if arguments.json:
        print(json.dumps([_document(each, now) for each in standings], indent=2))
        return 0
    for each in standings:
        print(f"{each.device:<32}  {each.state:<10}  {_remark(each, now)}".rstrip())
    return 0


def _remark(standing: Standing, now: datetime) -> str:
    expires = standing.certificate.expires
    if standing.state == "valid":
        left = (expires - now).days
        soon = f", {left} days left: edge-station rotate {standing.device}" if left < SOON_DAYS else ""
        return f"until {expires:%Y-%m-%d}{soon}"
    remarks = {
        "expired": f"since {expires:%Y-%m-%d}: edge-station rotate {standing.device}",
        "unfinished": f"interrupted: edge-station provision {standing.device}",
    }
    return remarks.get(standing.state, "")


def _document(standing: Standing, now: datetime) -> dict[str, object]:
    certificate = standing.certificate
    return {
        "device": standing.device,
        "state": standing.state,
        "issued": f"{certificate.issued:%Y-%m-%dT%H:%M:%SZ}",
        "expires": f"{certificate.expires:%Y-%m-%dT%H:%M:%SZ}",
        "days_left": (certificate.expires - now).days,
        "serial": certificate.serial,
    }


def _wanted(arguments: argparse.Namespace) -> Wanted:
    return Wanted(arguments.output, arguments.zip, arguments.days)


def _tell_carried(carried: Carried) -> None:
    device, until = carried.certificate.device, f"{carried.certificate.expires:%Y-%m-%d}"
    print(f"{carried.place}: for {device}, good until {until}; it holds the key, so hand it to nobody else")
    if carried.revoked:
        print(f"what {device} had before is refused from now on")


def _reload(
    arguments: argparse.Namespace, office: Office, chosen: StationSettings, *, ended: str | None = None
) -> None:
    """Let mosquitto know, or say how to; `ended` is a device whose open connection has to end."""
    if arguments.reload:
        reload.read_again(arguments.pid_file)
        if ended is not None:
            reload.end_session(chosen.broker, ended)
    elif office.reload_needed or ended is not None:
        until = "; a connection that is open stays open: --reload ends it too" if ended is not None else ""
        print(f"mosquitto does not know yet: {reload.BY_HAND}{until}")


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "broker": _broker,
    "provision": _provision,
    "rotate": _rotate,
    "revoke": _revoke,
    "devices": _devices,
}
"""A command's name to what it does."""
