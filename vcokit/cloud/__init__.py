"""The VPC API: what its operations are, how a request is signed, and a client.

==============  =====================================================================
`operations`    the eight operations, their limits and the error codes, as data
`credentials`   whose AccessKey signs
`signing`       signature V3, as pure functions and as `httpx.Auth`
`answers`       what came back: a parsed answer, or the error that it is
`target`        where calls go, and under which limits
`client`        one definition of the calls, a synchronous and an asynchronous form
`connect`       from a region or a simulator to a client
==============  =====================================================================
"""

from vcokit.cloud.answers import Answer
from vcokit.cloud.client import AsyncClient, Client
from vcokit.cloud.connect import connect
from vcokit.cloud.credentials import Credentials
from vcokit.cloud.operations import OPERATIONS, Limit

__all__ = ["OPERATIONS", "Answer", "AsyncClient", "Client", "Credentials", "Limit", "connect"]
