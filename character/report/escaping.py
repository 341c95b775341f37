"""How texts enter a page: the functions of ``views.escaping``, under the name that pages know them by."""

from __future__ import annotations

from character.views.escaping import embedded_json as embedded_json
from character.views.escaping import encodable as encodable
from character.views.escaping import escape as escape
