"""Emulated drives of known speed: made, listed and taken down."""

from iobench.lab.profile import DriveProfile, Figure, custom, default_names, read_profile
from iobench.lab.work import LabDrive, clean, down, list_drives, up

__all__ = [
    "DriveProfile",
    "Figure",
    "LabDrive",
    "clean",
    "custom",
    "default_names",
    "down",
    "list_drives",
    "read_profile",
    "up",
]
