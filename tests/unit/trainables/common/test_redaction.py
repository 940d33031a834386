"""Secrets in text: hidden wherever they may stand, and nothing else is."""

import io

import pytest

from trainables.common.redaction import RedactedStream, is_redacted, redact, redact_urls

HIDDEN = {
    "postgresql://user:secret@host/db": "postgresql://user:***@host/db",
    "postgresql+psycopg2://user:se/c@ret@host:5432/db": "postgresql+psycopg2://user:***@host:5432/db",
    "redis://:secret@host": "redis://:***@host",
    "https://user:secret@host/api": "https://user:***@host/api",
    "http://secret@host:5000": "http://***@host:5000",
    "mysql://host/db?user=me&password=secret&x=1": "mysql://host/db?user=me&password=***&x=1",
    "https://host/a?access_token=secret": "https://host/a?access_token=***",
    "cannot reach 'http://u:secret@h/a' (again)": "cannot reach 'http://u:***@h/a' (again)",
}
PLAIN = (
    "sqlite:////home/me/study.db", "postgresql://user@host/db", "127.0.0.1:6379", "ray://127.0.0.1:10001",
    "models:/searchspace-first@champion", "mail me@example.org", "trial 3: RuntimeError: a: b@c", "",
    "http://127.0.0.1:5000/#/experiments/1", "see https://arxiv.org/abs/1810.05934",
)  # fmt: skip


@pytest.mark.parametrize("text", HIDDEN)
def test_a_password_in_a_url_is_hidden(text):
    assert redact_urls(text) == HIDDEN[text]
    assert is_redacted(redact_urls(text))
    assert redact_urls(redact_urls(text)) == HIDDEN[text], "hiding twice is hiding once"


@pytest.mark.parametrize("text", PLAIN)
def test_other_text_stays_as_it_is(text):
    assert redact(text, {}) == text
    assert not is_redacted(text)


def test_what_the_environment_keeps_secret_is_hidden_without_its_url():
    environment = {
        "RAY_AUTH_TOKEN": "0123456789abcdef",
        "MLFLOW_TRACKING_PASSWORD": "open sesame",
        "AWS_SECRET_ACCESS_KEY": "wJalrX",
        "SEARCHSPACE_STORAGE": "postgresql://user:p%40ssword@host/db",
        "TOKENIZERS_PARALLELISM": "falsehood",
        "SHORT_TOKEN": "1",
        "RAY_AUTH_TOKEN_PATH": "/home/me/token",
    }
    text = "Bearer 0123456789abcdef; open sesame; wJalrX; p@ssword; p%40ssword; falsehood; 1; /home/me/token"
    assert redact(text, environment) == "Bearer ***; ***; ***; ***; ***; falsehood; 1; /home/me/token"


def test_a_stream_hides_what_comes_in_pieces():
    target = io.StringIO()
    stream = RedactedStream(target)
    for piece in ("at http://us", "er:sec", "ret@host/\nnext\nla", "st"):
        print(piece, end="", file=stream)
    assert target.getvalue() == "at http://user:***@host/\nnext\n"
    stream.close()
    assert target.getvalue().endswith("last")
