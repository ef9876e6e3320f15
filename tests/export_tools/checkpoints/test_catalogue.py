"""The catalogue says what the facts of the field say, once each."""

from __future__ import annotations

import pytest

from export_tools.checkpoints import catalogue


def test_no_name_file_or_hash_stands_twice() -> None:
    entries = catalogue.entries()
    names = [name for known in entries for name in (known.name, known.file, *known.aliases)]
    hashes = [digest for known in entries for digest in (known.md5, known.sha256) if digest]
    assert len(names) == len(set(names))
    assert len(hashes) == len(set(hashes))


def test_every_address_ends_in_the_file_that_it_brings() -> None:
    for known in catalogue.entries():
        for url in known.urls:
            last = url.rpartition("/")[2]
            assert last == known.file or (last, known.family) == ("model.safetensors", "miewid")


@pytest.mark.parametrize("name", ["mdv5a", "mdv5a.0.1", "megadetector-v5a", "md_v5a.0.1.pt"])
def test_a_row_is_found_by_name_alias_file_and_hash(name: str) -> None:
    known = catalogue.by_name(name)
    assert known is not None
    assert known.md5 == "60f8e7ec1308554df258ed1f4040bc4f"
    assert catalogue.by_hash("", known.md5) == known


def test_an_empty_hash_finds_nothing() -> None:
    assert catalogue.by_hash("", "") is None


def test_the_list_has_a_line_for_every_row_and_says_where_no_hash_is_published() -> None:
    rows = {row.name: row for row in catalogue.rows()}
    assert list(rows) == [known.name for known in catalogue.entries()]
    assert (rows["mdv1000-redwood"].checksum, rows["mdv1000-redwood"].address) == ("md5", "github.com")
    assert rows["serengeti"].checksum == "no published hash"
    assert rows["megadescriptor-l-384"].address == "no public address"
