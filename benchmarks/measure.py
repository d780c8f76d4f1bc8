"""Runs one command and writes what it cost: ``python measure.py RESULT.json COMMAND…``.

A process of its own, and a small one, because Linux carries the peak memory of the process that
forks over to the program it executes: measured from the harness, each contestant would seem at
least as big as the harness. Standard library only, and little of it.
"""

import os
import sys
import time


def main() -> None:
    """Write wall and processor seconds, peak memory of the largest process, and exit status."""
    result, command = sys.argv[1], sys.argv[2:]
    begin = time.monotonic()
    child = os.spawnvp(os.P_NOWAIT, command[0], command)
    _, status, usage = os.wait4(child, 0)
    wall = time.monotonic() - begin
    # ru_maxrss is in kibibytes on Linux, in bytes on macOS (getrusage(2) of each).
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    with open(result, "w", encoding="ascii") as file:  # noqa: PTH123
        file.write(
            f'{{"wall": {wall:.4f}, "user": {usage.ru_utime:.4f}, "system": {usage.ru_stime:.4f}, '
            f'"peak_bytes": {peak}, "exit": {os.waitstatus_to_exitcode(status)}}}\n'
        )


if __name__ == "__main__":
    main()
