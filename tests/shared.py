"""Where material lies that is not part of the repository, and how a test says that it needs it."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


def shared(path: str) -> Path:
    """Return a path below the shared folder, for use in a test that is skipped without it."""
    return SHARED / path


def needs_shared(path: str) -> pytest.MarkDecorator:
    """Skip a test, visibly, where `path` is absent from the shared folder."""
    return pytest.mark.skipif(
        not shared(path).exists(), reason=f"needs {path} in a folder `shared` beside the checkout"
    )
