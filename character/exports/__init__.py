"""Exports: a run written in the shape that a trainer, a fine-tuning service or a person reads."""

from character.exports.formats import EXPORT_FORMATS as EXPORT_FORMATS
from character.exports.formats import ExportFormat as ExportFormat
from character.exports.given import run_data as run_data
from character.exports.hub import push_to_hub as push_to_hub
from character.exports.models import ExportData as ExportData
from character.exports.models import ExportedFile as ExportedFile
from character.exports.models import ExportReport as ExportReport
from character.exports.models import Split as Split
from character.exports.open_run import StoredRun as StoredRun
from character.exports.open_run import open_run as open_run
from character.exports.source import StoredRollouts as StoredRollouts
from character.exports.writing import export as export
