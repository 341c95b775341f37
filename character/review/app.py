"""The pages: which address shows or keeps what. What a model wrote passes an escaping template as text."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

import jinja2
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from character.errors import CharacterError, InputError
from character.locale import LANGUAGES, Language, wording
from character.records import KINDS
from character.review.answers import TASKS, Task, reviewer_name
from character.review.forms import Form, IncompleteError, answers_of, number_of
from character.review.guard import MOST_BODY, Secrets
from character.review.index import Filters, Index, forget, languages_of, next_item, progress, tasks_of
from character.review.items import Shown, show, text_at
from character.review.sources import Subject
from character.review.store import ReviewStore
from character.review.texts import NEXT_PART, part_of

if TYPE_CHECKING:
    from character.review.agreement import Agreement
_HERE = Path(__file__).parent
_STATIC = {
    "review.css": ("assets", "text/css"),
    "review.js": ("assets", "text/javascript"),
    "icon.svg": ("assets", "image/svg+xml"),
    "htmx.min.js": ("vendor", "text/javascript"),
}
_CLOCK = slice(11, 16)
"""Hours and minutes in a time as it is stored."""
_FIRST_PART_S = 10.0
"""How long the first page waits for the first part of the queue."""


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


class App:
    """The handlers over a subject and its reviews; ``start`` is the view of an address that says nothing."""

    def __init__(
        self, subject: Subject, reviews: ReviewStore, index: Index, own_secrets: Secrets, start: View
    ) -> None:
        self._subject, self._reviews, self._index = subject, reviews, index
        self._secrets, self._start = own_secrets, start
        self._templates = _templates()
        self._agreement = lru_cache(maxsize=8)(self._count_agreement)

    def page(self, request: Request) -> Response:
        """Show the next item of a task, or ask for the reviewer's name."""
        self._index.ready.wait(_FIRST_PART_S)
        tasks = tasks_of(self._reviews) or ["rank"]
        task = _task(request.path_params.get("task", tasks[0]))
        view, wrong = self._view(request)
        if not view.reviewer:
            return self._html("who.html", view, wrong=wrong, reviewers=self._reviews.reviewers())
        return self._html(
            "page.html",
            view,
            **self._work(view, task),
            tasks=tasks,
            traits=self._subject.trait_names(),
            kinds=list(KINDS),
            languages=languages_of(self._reviews),
            csrf=self._secrets.csrf,
        )

    def answer(self, request: Request, form: Form) -> Response:
        """Keep an answer, and show the next item once it is on disk."""
        view, task = self._reviewing(request)
        item, seen, words = form.get("item", ""), number_of(form.get("seen", "")), view.words()
        shown = show(self._subject, self._reviews, view.reviewer, task, item, view.lang)
        if shown is None or seen is None or not form.get("nonce"):
            return PlainTextResponse(words["not_found"], 404)
        try:
            answers = answers_of(shown, form)
        except IncompleteError as error:
            return PlainTextResponse(words[error.key].format(letters=", ".join(error.letters)), 422)
        recorded = self._reviews.record(view.reviewer, task, answers, seen=seen, nonce=form["nonce"][:64])
        notice = words["elsewhere"].format(at=recorded.elsewhere[_CLOCK]) if recorded.elsewhere else ""
        work = self._work(view, task, said=words["saved"], notice=notice)
        return self._html("work.html", view, **work | {"alarm": True})

    def undo(self, request: Request, _form: Form) -> Response:
        """Take back the reviewer's last answer to a task, and show its item again."""
        view, task = self._reviewing(request)
        items = self._reviews.undo(view.reviewer, task)
        page = next((item for item in items if item.startswith("message:")), items[0] if items else None)
        result = view.words()["taken_back" if items else "nothing_to_undo"]
        work = self._work(view, task, item=page, said=result, notice=result)
        return self._html("work.html", view, **work)

    def panel(self, request: Request) -> Response:
        """Show progress and agreement, and whether the item on the page was answered in another window."""
        view, task = self._reviewing(request)
        item, seen = request.query_params.get("item", ""), number_of(request.query_params.get("seen", ""))
        standing = self._reviews.answer_of(view.reviewer, task, item) if item else None
        newer = standing is not None and seen is not None and standing.seq > seen
        words = view.words()
        meanwhile = words["elsewhere_now"].format(at=standing.at[_CLOCK]) if newer and standing else ""
        done, number = progress(self._reviews, view.reviewer, task, view.filters)
        agreed = self._agreement(task, self._reviews.last_seq())
        figures = {"done": done, "number": number, "agreed": agreed, "meanwhile": meanwhile}
        return self._html("panel.html", view, task=task, index=self._index, **figures)

    def text(self, request: Request) -> Response:
        """Show the next part of a long text."""
        view, task = self._reviewing(request)
        asked = request.query_params
        item, place, start = asked.get("item", ""), asked.get("place", ""), number_of(asked.get("from", ""))
        text = text_at(self._subject, self._reviews, view.reviewer, task, item, place)
        if text is None or start is None:
            return PlainTextResponse(view.words()["not_found"], 404)
        part, shown = part_of(text, start, NEXT_PART), {"task": task, "item": item}
        return self._html("more.html", view, part=part, place=place, shown=shown, task=task)

    def static(self, request: Request) -> Response:
        """Serve one of the app's own files, by its name alone."""
        name = request.path_params["name"]
        if name not in _STATIC:
            return PlainTextResponse("There is no such file.", 404)
        folder, kind = _STATIC[name]
        return Response((_HERE / folder / name).read_bytes(), media_type=kind)

    # -- what the pages share -----------------------------------------------------------------------------

    def _view(self, request: Request) -> tuple[View, str]:
        """Return the view of an address, without a reviewer where the name cannot be used, and why."""
        view = view_of(request.query_params, self._start)
        if not view.reviewer:
            return view, ""
        try:
            return view._replace(reviewer=reviewer_name(view.reviewer)), ""
        except InputError as error:
            return view._replace(reviewer=""), error.found

    def _reviewing(self, request: Request) -> tuple[View, Task]:
        view, wrong = self._view(request)
        if not view.reviewer:
            raise InputError(wrong or "the address names no reviewer.")
        return view, _task(request.path_params["task"])

    def _work(
        self, view: View, task: Task, *, item: str | None = None, said: str = "", notice: str = ""
    ) -> dict[str, Any]:
        """Return what the template of an item needs: that item, or the next of the queue."""
        shown: Shown | None = None
        while item := item or next_item(self._reviews, view.reviewer, task, view.filters):
            shown = show(self._subject, self._reviews, view.reviewer, task, item, view.lang)
            if shown:
                break
            forget(self._reviews, task, item)
            item = None
        number = 0 if shown else progress(self._reviews, view.reviewer, task, view.filters)[1]
        facts = {"task": task, "shown": shown, "said": said, "notice": notice}
        return {**facts, "number": number, "nonce": secrets.token_urlsafe(12), "alarm": False}

    def _count_agreement(self, task: Task, _last_seq: int) -> Agreement:
        from character.review.agreement import agreement  # it brings numpy, which the first page does without

        return agreement(self._reviews, task)

    def _html(self, name: str, view: View, **values: Any) -> Response:
        page = self._templates.get_template(name).render(
            view=view, query=view.query(), w=view.words(), folder=self._subject.folder.name, **values
        )
        return HTMLResponse(page)


def build_app(app: App) -> Starlette:
    """Return the ASGI application of the handlers, which the guard goes around."""
    return Starlette(
        routes=[
            Route("/", app.page),
            Route("/static/{name}", app.static),
            Route("/{task}", app.page, methods=["GET"]),
            Route("/{task}", _posted(app.answer), methods=["POST"]),
            Route("/{task}/undo", _posted(app.undo), methods=["POST"]),
            Route("/{task}/panel", app.panel),
            Route("/{task}/text", app.text),
        ],
        exception_handlers={CharacterError: _refused},
    )


def _refused(_request: Request, error: Exception) -> Response:
    """Say what was wrong: the sender's fault (422), or the disk's (500)."""
    problem = error.found if isinstance(error, CharacterError) else str(error)
    return PlainTextResponse(problem, 422 if isinstance(error, InputError) else 500)


def _task(name: str) -> Task:
    if name not in TASKS:
        raise HTTPException(404, "There is no such page.")
    return name


def _posted(handler: Callable[[Request, Form], Response]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        form = await _form(request)
        return await run_in_threadpool(handler, request, form)

    return endpoint


async def _form(request: Request) -> dict[str, str]:
    """Return the fields of a form; raises InputError for one that is too large or is none."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BODY:
            raise InputError("the form is too large.", expected=f"at most {MOST_BODY:,} bytes")
    try:
        return dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=1_000))
    except ValueError:
        raise InputError("the form cannot be read.", expected="UTF-8, at most 1,000 fields") from None


def _templates() -> jinja2.Environment:
    """Return the templates: everything is escaped, and a name that is not there is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"plain": _plain, "part": part_of}
    return environment


def _plain(value: Any) -> str:
    """Return a short text with what cannot be seen named in brackets."""
    texts = value if isinstance(value, list) else [str(value)]
    parts = [part_of(text) for text in texts]
    return "; ".join("".join(f"[{p.mark}]" if p.mark else p.text for p in part.pieces) for part in parts)
