"""The machine in words: what its figures depend on, and nothing that names it."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def in_words() -> str:
    """Processor, cores, memory, system and Python."""
    cpuinfo = Path("/proc/cpuinfo")
    rows = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [row.split(":")[1].strip() for row in rows if row.startswith("model name")]
    flags = next((row for row in rows if row.startswith("flags")), "")
    vector = next((name for name in ("avx512f", "avx2") if name in flags), "")
    words = [
        f"{os.cpu_count()} cores of a processor that calls itself {(models or [platform.machine()])[0]}",
        {"avx512f": "AVX-512", "avx2": "AVX2"}.get(vector, ""),
        f"{_memory_gib():.0f} GiB of memory" if hasattr(os, "sysconf") else "",
        "a virtual machine" if "hypervisor" in flags else "",
        platform.system(),
        f"Python {platform.python_version()}",
    ]
    return ", ".join(word for word in words if word)


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
