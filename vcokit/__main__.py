"""``python -m vcokit``: the same as the command ``vcokit``."""

from vcokit.cli import main

if __name__ == "__main__":
    main()
