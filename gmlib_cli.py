"""The entry point of the command `gmlib`. It runs before gmlib and torch are imported, which takes seconds."""

import contextlib
import os
import signal


def main() -> None:
    """Import gmlib and run its command line; Ctrl-C ends the import at once and without a traceback."""
    for number in range(3):
        with contextlib.suppress(OSError):
            os.fstat(number)
            continue
        os.open(os.devnull, os.O_RDWR)  # closed by the shell: else a file that we write would take its number
    usual = signal.getsignal(signal.SIGINT)
    if usual is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from gmlib.cli import main as run

    signal.signal(signal.SIGINT, usual)
    run()
