from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.device import cpu

EPYC = (
    "processor\t: {number}\nmodel name\t: AMD EPYC\nflags\t\t: fpu sse avx2 avx512f {more} avx512_bitalg\nbugs\t\t:\n\n"
)
CELERON = "processor\t: 0\nmodel name\t: Intel Celeron J4125\nflags\t\t: fpu sse ssse3 sse4_2\nvmx flags\t: vnmi\n"
PI = "processor\t: 0\nFeatures\t: fp asimd evtstrm crc32 asimddp\nCPU part\t: 0xd0b\n"


@pytest.mark.parametrize("flag", ["avx512_vnni", "avx_vnni"])
def test_either_flag_tells_of_vnni(flag: str) -> None:
    assert cpu.has_vnni(EPYC.format(number=0, more=flag) + EPYC.format(number=1, more=flag))


@pytest.mark.parametrize(
    "text",
    [
        "",
        CELERON,
        CELERON.replace("vnmi", "avx_vnni"),  # another list of flags
        CELERON.replace("J4125", "flags: avx_vnni"),
        EPYC.format(number=0, more="avx512_vnni_int8 notavx_vnni"),
        EPYC.format(number=0, more="avx512_vnni") + EPYC.format(number=1, more=""),
    ],
    ids=["nothing", "old", "vmx flags", "model name", "longer names", "not every processor"],
)
def test_other_texts_do_not(text: str) -> None:
    assert not cpu.has_vnni(text)


@pytest.mark.parametrize(
    ("machine", "text", "saturates"),
    [
        ("x86_64", CELERON, True),
        ("x86_64", EPYC.format(number=0, more="avx512_vnni"), False),
        ("x86_64", None, True),
        ("aarch64", PI, False),
        ("aarch64", None, False),
    ],
)
def test_8_bit_sums_saturate_on_x86_without_vnni_and_where_nothing_can_be_read(
    tmp_path: Path, machine: str, text: str | None, saturates: bool
) -> None:
    file = tmp_path / "cpuinfo"
    if text is not None:
        file.write_text(text)
    assert cpu.int8_saturates(machine=machine, cpuinfo=file) is saturates
