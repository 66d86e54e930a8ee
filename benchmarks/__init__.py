"""Speed as a ratio beside a peer, in one run; run with ``make bench``."""
