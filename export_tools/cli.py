"""`edge-export`: the workstation's command."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from edge_runtime import console
from export_tools.commands import addaxai, build, fetch, import_graph, inspect, quantize

PROGRAM = "edge-export"
EXAMPLES = """\
  edge-export fetch mdv5a
  edge-export detector md_v5a.0.1.pt --calibrate photos/ --evaluate other-photos/ -o megadetector-v5a
  edge-export detector MDV6-yolov9-c.pt --size 1280 --calibrate photos/ --truth truth.csv --evaluate judged/ -o mdv6-c
  edge-export classifier AI4GAmazonDeforestationv2 --calibrate crops/ -o amazon
  edge-export embedder miewid_msv3.safetensors --calibrate crops/ --variants onnxruntime-fp32,openvino-fp16 -o miewid
  edge-export active-learning export/ --training-images crops/ --calibrate crops/ -o my-species
  edge-export import yolox_nano.onnx --preset yolox --labels coco80 \\
      --licence Apache-2.0 --source https://github.com/Megvii-BaseDetection/YOLOX -o yolox-nano
  edge-export quantize yolox-nano --calibrate photos/ --evaluate other-photos/ -o yolox-nano-int8
  edge-export inspect mdv6-c
  edge-export verify mdv6-c
  edge-export addaxai my-species -o MY-SPECIES-v1

exit codes: 0 done; 1 failed; 2 a checkpoint, bundle or file cannot be used; 3 a variant was refused by its gate
label tables: coco80, megadetector, or a CSV file 'index,label,kind' (kind: animal, person, vehicle, other)"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    arguments = _parser().parse_args(argv)
    # Its own stages, but not what the quantizers say of every channel.
    logging.getLogger("export_tools").setLevel(logging.INFO)
    return console.run(
        PROGRAM,
        lambda: int(arguments.run(arguments)),
        verbose=arguments.verbose,
        interrupted="interrupted; nothing was written",
        level=logging.WARNING,
    )


def _parser() -> argparse.ArgumentParser:
    parser = console.parser(PROGRAM, "Makes model bundles for edge-runtime.", EXAMPLES)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (build, import_graph, quantize, inspect, fetch, addaxai):
        command.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
