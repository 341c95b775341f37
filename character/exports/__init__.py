"""Exports: a run written in the shape that a trainer, a fine-tuning service or a person reads."""

from character.exports.formats import EXPORT_FORMATS, ExportFormat
from character.exports.hub import push_to_hub
from character.exports.models import ExportData, ExportedFile, ExportReport, Split
from character.exports.open_run import StoredRun, open_run
from character.exports.run_data import run_data
from character.exports.source import StoredRollouts
from character.exports.writing import export

__all__ = [
    "EXPORT_FORMATS",
    "ExportData",
    "ExportFormat",
    "ExportReport",
    "ExportedFile",
    "Split",
    "StoredRollouts",
    "StoredRun",
    "export",
    "open_run",
    "push_to_hub",
    "run_data",
]
