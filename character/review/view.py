"""What an address asks for: who reviews, in which language, and what the queue is narrowed to. No state but this is kept."""

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

    def query(self) -> str:
        """Return this view as the query of an address."""
        named = {"as": self.reviewer, "lang": self.lang, **self.filters._asdict()}
        return urlencode({name: value for name, value in named.items() if value})

    def with_lang(self, lang: Language) -> str:
        """Return the query of the same view in another language."""
        return self._replace(lang=lang).query()

    def asking_who(self) -> str:
        """Return the query under which the page asks for the reviewer's name."""
        return f"who=1&{self._replace(reviewer='').query()}"

    def as_reviewer(self, name: str) -> str:
        """Return the query of the same view for a reviewer."""
        return self._replace(reviewer=name).query()


def view_of(query: Mapping[str, str], *, reviewer: str, lang: Language) -> View:
    """Return the view of an address; ``reviewer`` and ``lang`` are what it has where it names none."""
    asked = query.get("lang", "")
    filters = Filters(*(query.get(name, "")[:500] for name in Filters._fields))
    known = "" if "who" in query else reviewer
    chosen = next((language for language in LANGUAGES if language == asked), lang)
    return View(query.get("as", known), chosen, filters)
