"""What an address asks for: who reviews, in which language, and what of the queue. No other state is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlencode

from character.locale import LANGUAGES, Language, wording
from character.review.index import Filters


class View(NamedTuple):
    """The reviewer (empty: not known yet), the language of the interface, and the filters of an address."""

    reviewer: str
    lang: Language
    filters: Filters

    def words(self) -> Mapping[str, str]:
        """Return every text of the interface in this view's language, by key."""
        return wording("review", self.lang)

    def query(self, *, reviewer: str | None = None, lang: Language | None = None) -> str:
        """Return this view, with another reviewer or language where given, as the query of an address."""
        name = self.reviewer if reviewer is None else reviewer
        named = {"as": name, "lang": lang or self.lang, **self.filters._asdict()}
        return urlencode({name: value for name, value in named.items() if value})


def view_of(query: Mapping[str, str], start: View) -> View:
    """Return the view of an address; where it names no reviewer or language, it has those of ``start``."""
    filters = Filters(*(query.get(name, "")[:500] for name in Filters._fields))
    reviewer = query.get("as", "" if "who" in query else start.reviewer)
    lang = next((language for language in LANGUAGES if language == query.get("lang")), start.lang)
    return View(reviewer, lang, filters)
