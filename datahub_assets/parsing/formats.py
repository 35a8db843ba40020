"""The optional packages of some formats: imported when a feed declares one."""

from importlib import import_module
from types import ModuleType

from datahub_assets.errors import DeclarationError


def optional(module: str, format_name: str) -> ModuleType:
    """The module.

    Raises:
        DeclarationError: its package is not installed; the error names the extra that brings it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise DeclarationError(
            f"Format {format_name} cannot be read", got=f"no package {module.partition('.')[0]}", expected="the extra formats",
            remedy='Install it: pip install "datahub-assets[formats]"',
        ) from error  # fmt: skip
