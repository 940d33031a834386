"""Properties of the journal's readers, for any place where a writer stopped and any bytes that came in between."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from searchspace.study.journal import repair_journal
from searchspace.study.study_snapshot import JournalReader
from tests.helpers.repository import ROOT
from trainables.common.errors import UserError

CONTENT = (ROOT / "tests/helpers/earlier_results/interrupted/study.journal").read_bytes()
"""A real journal, of a search that was killed."""
ENDS = [0, *(number + 1 for number, byte in enumerate(CONTENT) if byte == ord("\n"))]
"""Where its entries end."""
quick = settings(max_examples=50, deadline=None, database=None, derandomize=True)
offsets = st.integers(0, len(CONTENT)) | st.sampled_from(ENDS)


def read(content: bytes):
    """What the boards' reader makes of a journal."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "study.journal")
        path.write_bytes(content)
        return JournalReader(path).read()


def whole_entries(content: bytes) -> bytes:
    return content[: content.rfind(b"\n") + 1]


@quick
@given(offsets)
def test_a_prefix_is_read_as_its_whole_entries_are(end):
    assert read(CONTENT[:end]) == read(whole_entries(CONTENT[:end]))


@quick
@given(st.lists(offsets, max_size=5))
def test_reading_while_it_grows_ends_with_what_reading_once_gives(cuts):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "study.journal")
        path.touch()
        reader = JournalReader(path)
        for end in [*sorted(cuts), len(CONTENT)]:
            path.write_bytes(CONTENT[:end])
            found = reader.read()
    assert found == read(CONTENT)


@quick
@given(st.sampled_from(ENDS[1:]))
def test_the_readers_trials_are_optunas(end):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "study.journal")
        path.write_bytes(CONTENT[:end])
        storage = JournalStorage(JournalFileBackend(str(path)))
        assert JournalReader(path).read().trials == storage.get_all_trials(0)


@quick
@given(offsets, st.binary(max_size=30))
def test_repairing_keeps_every_whole_entry_and_nothing_else(end, torn):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "study.journal")
        path.write_bytes(CONTENT[:end] + torn.replace(b"\n", b""))
        size = path.stat().st_size
        cut = repair_journal(path)
        kept = path.read_bytes()
        assert len(kept) == size - cut
        assert kept == whole_entries(CONTENT[:end])
        assert repair_journal(path) == 0, "once is enough"


@quick
@given(st.integers(0, len(CONTENT)), st.integers(0, 40), st.binary(max_size=40))
def test_foreign_bytes_are_an_error_of_one_line_or_change_nothing_before_them(at, missing, foreign):
    changed = CONTENT[:at] + foreign + CONTENT[at + missing :]
    found, said = None, ""
    try:
        found = read(changed)
    except UserError as error:
        said = str(error)
    assert "\n" not in said
    if found is not None:
        assert len(found.trials) >= len(read(whole_entries(CONTENT[:at])).trials)
