"""Events: frozen, whole after their way through a pipe, and described."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from searchspace.api.process.search_events import LogMessage, SearchEvent, TrialStarted, decode_event, encode_event

KINDS = get_args(SearchEvent)


@given(st.one_of([st.builds(kind, seconds=st.floats(0, 1e9)) for kind in KINDS]))
def test_an_event_is_the_same_on_the_other_side(event):
    line = encode_event(event)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    found = decode_event(line)
    assert type(found) is type(event)
    assert repr(found) == repr(event), "a number that is none equals nothing, but is written alike"


def test_bytes_of_a_file_name_that_are_no_text_are_escaped():
    event = decode_event(encode_event(LogMessage(level=20, message="img-\udcff.png")))
    assert event.message == "img-\\udcff.png"


def test_events_are_frozen_and_know_their_type():
    event = TrialStarted(number=3, config={"lr": 0.1, "model": "convnet", "tta": True, "depth": 2})
    assert event.type == "TrialStarted"
    assert decode_event(encode_event(event)).config == {"lr": 0.1, "model": "convnet", "tta": True, "depth": 2}
    with pytest.raises(ValidationError):
        event.number = 4


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_described(kind):
    assert kind.__doc__
    assert [name for name, field in kind.model_fields.items() if not field.description and name != "type"] == []


@pytest.mark.parametrize("line", [b"", b"{}", b'{"type":"Other"}', b'{"type":"TrialPaused","number":1}'])
def test_other_lines_are_no_events(line):
    with pytest.raises(ValidationError):
        decode_event(line)
