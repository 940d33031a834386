"""What the attacks are made on."""

from collections.abc import Iterator

import pytest

from tests.helpers.fragile_model import make_fragile
from tests.helpers.servers.postgres import postgres  # noqa: F401  # fixtures
from tests.helpers.servers.s3_server import bucket, s3_server  # noqa: F401  # fixtures
from tests.helpers.servers.service import Service, served


@pytest.fixture(scope="session")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with the default limits, of a model that can fail; it logs such failures, and none of its own."""
    model = make_fragile(tmp_path_factory.mktemp("model") / "model.onnx")
    with served(model, "--batch", "8", logged=r"(?s)(?!.*a request failed).*") as found:
        yield found
