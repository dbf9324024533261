"""The entry point of the command `gmlib`: a module of its own, since importing gmlib and torch takes seconds."""

import os
import signal


def main() -> None:
    """Import gmlib and run its command line; Ctrl-C ends the import at once and without a traceback."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except (
            OSError
        ):  # closed by the shell: without this, messages would be written into the next file that is opened
            os.open(os.devnull, os.O_RDWR)
    handler = signal.getsignal(signal.SIGINT)
    if handler is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from gmlib.cli import main as run

    signal.signal(signal.SIGINT, handler)
    run()
