"""Keeping freed memory in the process."""

import ctypes

M_TRIM_THRESHOLD = -1
M_MMAP_MAX = -4
LARGEST = 2**31 - 1


def keep_freed_memory() -> None:
    """Tell glibc's allocator to keep what is freed, instead of giving it back and asking for it again every step.

    Activations of tens of megabytes come and go in every step; each time the kernel would fill their pages with zeros.
    Without glibc nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, LARGEST)
