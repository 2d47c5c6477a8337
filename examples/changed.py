#!/usr/bin/env python3
"""changed.py METADATA ERA: prints what was written in era ERA or later, in bytes."""

import ctypes
import sys


class Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int), ("text", ctypes.c_char * 1024)]


class Range(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("begin", "end", "first_block", "end_block")]


def changes(path, since):
    """Yields pairs of offset and length, in bytes."""
    era = ctypes.CDLL("libera-tools.so.1")
    error = Error()

    def check(code):
        if code != 0:
            raise OSError(error.text.decode(errors="replace"))

    metadata = ctypes.c_void_p()
    check(era.era_open(ctypes.byref(metadata), path.encode(), 0, ctypes.byref(error)))
    try:
        found = ctypes.c_void_p()
        check(era.era_changes_since(ctypes.byref(found), metadata, ctypes.c_uint32(since),
                                    ctypes.c_uint64(0), ctypes.byref(error)))
        changed = Range()
        while era.era_next_change(found, ctypes.byref(changed)):
            yield changed.begin, changed.end - changed.begin
        era.era_free_changes(found)
    finally:
        check(era.era_close(metadata, ctypes.byref(error)))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: changed.py METADATA ERA")
    try:
        for offset, length in changes(sys.argv[1], int(sys.argv[2])):
            print(offset, length)
    except OSError as failure:
        sys.exit(str(failure))
