"""Merge all jars of a folder into one: Java reads the jars of a folder in any order.

Beam's job server consists of 146 jars, some of which have classes of the same name. In one jar, they are
the same ones on every machine.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

_SERVICES = "META-INF/services/"
_SIGNATURES = (".SF", ".RSA", ".DSA", ".EC")
_MANIFEST = "META-INF/MANIFEST.MF"
_MULTI_RELEASE = "Manifest-Version: 1.0\r\nMulti-Release: true\r\n\r\n"


def merge(folder: Path, name: str) -> None:
    """Replace the jars in ``folder`` by one called ``name``.

    Of files with the same name, the one in the first jar is kept, as on a class path; lists of
    services are joined. Signatures are dropped, because they belong to the old jars.
    """
    jars = sorted(folder.glob("*.jar"))
    merged = folder / f"{name}.part"
    services: dict[str, list[bytes]] = {}
    names = {_MANIFEST}
    # Fast, because much of it is compressed already.
    with zipfile.ZipFile(merged, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target:
        target.writestr(_MANIFEST, _MULTI_RELEASE)
        for jar in jars:
            with zipfile.ZipFile(jar) as source:
                for entry in source.infolist():
                    file = entry.filename
                    if file.startswith(_SERVICES) and not entry.is_dir():
                        services.setdefault(file, []).append(source.read(entry))
                    elif not (entry.is_dir() or file in names or _of_the_jar_itself(file)):
                        names.add(file)
                        target.writestr(file, source.read(entry))
        for file, lists in services.items():
            target.writestr(file, b"\n".join(lists) + b"\n")
    for jar in jars:
        jar.unlink()
    merged.rename(folder / name)


def _of_the_jar_itself(file: str) -> bool:
    """Whether a file is about the jar that holds it: its signature, or its name as a module."""
    signature = file.startswith("META-INF/") and file.endswith(_SIGNATURES)
    return signature or file.endswith("module-info.class")
