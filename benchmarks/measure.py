"""Run a command and write its costs: ``python measure.py RESULT.json COMMAND…``.

This is a small, separate process, because on Linux a program inherits the peak memory of the
process that starts it: started by the harness, each contestant would seem at least as large as the
harness. Standard library only.
"""

import os
import sys
import time


def main() -> None:
    """Write the wall and CPU seconds, the peak memory of the largest process, and the exit code."""
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
