"""The VPC API: its operations, the signature of requests, and a client.

The vendor's facts are data in ``vcokit/contract.json``. The modules here build on them.

==============  =====================================================================
`operations`    the parameters, answers and rate limit of each operation
`error_codes`   the kind of each error code, the meaning of a kind, and the remedy
`endpoints`     which host answers for a region
`simulated`     whether an endpoint is a simulator or the cloud
`credentials`   where the AccessKey is found and when it is renewed
`masking`       secrets: hidden in objects, and removed from text
`signing`       signature V3
`transport`     one HTTP exchange; the only module that uses httpx
`responses`     parses a reply into an answer or an error, and rows into frames
`ratelimit`     sliding windows shared by all callers of a client; the wait between tries
`client`        the operations, tries and pages
`connect`       makes a client from a region or a simulator
`policy`        what a RAM policy must allow for some operations
==============  =====================================================================
"""

from vcokit.cloud.client import Client
from vcokit.cloud.connect import connect
from vcokit.cloud.credentials import Credentials
from vcokit.cloud.operations import OPERATIONS, Limit
from vcokit.cloud.responses import Answer

__all__ = ["OPERATIONS", "Answer", "Client", "Credentials", "Limit", "connect"]
