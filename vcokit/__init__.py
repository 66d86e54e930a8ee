"""vcokit."""

import pandas as pd  # noqa: F401
