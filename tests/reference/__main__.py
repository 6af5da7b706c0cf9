"""Write every page of the reference that is made from the code (``make reference``)."""

from __future__ import annotations

import sys

from tests import options_page
from tests.reference import exit_codes, map_picture, pipeline_keys, python_names, tables

PAGES = {
    options_page.PAGE: options_page.page,
    options_page.SCHEMA: options_page.schema_text,
    exit_codes.PAGE: exit_codes.page,
    map_picture.PICTURE: map_picture.picture,
    pipeline_keys.PAGE: pipeline_keys.page,
    python_names.PAGE: python_names.page,
    tables.PAGE: tables.page,
}
"""Each file, and what makes its text."""

if __name__ == "__main__":
    for path, text in PAGES.items():
        path.write_text(text(), encoding="utf-8")
        sys.stdout.write(f"{path} is written\n")
