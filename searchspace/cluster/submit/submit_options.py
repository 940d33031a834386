"""Options of the submit command, beside those of the search."""

from typing import Annotated

from searchspace.cli.options import Option
from searchspace.cli.values import Names
from trainables.common.errors import UserError
from trainables.config import Frozen

CLUSTER_SECTION, PACKAGE_SECTION = "Which cluster", "What goes along"


class SubmitOptions(Frozen):
    """The options of `searchspace submit`."""

    cluster: Annotated[str, Option(CLUSTER_SECTION, metavar="FILE.yaml")] = ""
    """The file that ray up was given; its head is reached by SSH."""
    address: Annotated[str, Option(CLUSTER_SECTION, metavar="URL")] = ""
    """Or its dashboard, where that can be reached, such as http://127.0.0.1:8265."""
    ship: Annotated[Names, Option(PACKAGE_SECTION, kind=list[str], metavar="A,B")] = ()
    """Files or folders beside the code, such as what a space of your own imports."""
    env: Annotated[Names, Option(PACKAGE_SECTION, kind=list[str], metavar="A,B")] = ()
    """Variables of this environment to pass on; all who see the cluster's dashboard can read them."""

    @property
    def arguments(self) -> list[str]:
        """Command-line arguments that name the cluster."""
        return ["--cluster", self.cluster] if self.cluster else ["--address", self.address]

    @property
    def where(self) -> str:
        """The cluster as it was named, for messages."""
        flag, given = self.arguments
        return f"{flag} {given!r}"


def check_cluster(options: SubmitOptions) -> None:
    """Raise `UserError` unless exactly one cluster is named."""
    if bool(options.cluster) == bool(options.address):
        raise UserError("which cluster? give either --cluster FILE.yaml, as to ray up, or --address http://HOST:8265")
    if options.address and not options.address.startswith(("http://", "https://")):
        raise UserError(f"--address {options.address!r}: expected the dashboard's URL, such as http://127.0.0.1:8265")
