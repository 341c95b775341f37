"""What an audit of messages holds: counts asked for and got, openers, repeats, diversity, and remarks."""

from __future__ import annotations

from pydantic import Field

from character.messages.diversity import Diversity
from character.records import Record


class Count(Record):
    """How many messages something was asked of (None where nobody asked) and how many it holds for."""

    asked: int | None = None
    got: int = 0


class LengthMix(Record):
    """Bands of length (short, medium, long: see ``messages.lengths``) asked for by the briefs, and those got.

    ``table[asked][got]`` counts messages; ``asked`` and ``got`` are its sums. Only messages of one turn whose
    brief names a length are in it. ``kept`` is the share whose band is the one asked for, in 0..1, None
    for no message. ``all_got`` counts the bands of all messages, asked for or not.
    """

    asked: dict[str, int]
    got: dict[str, int]
    table: dict[str, dict[str, int]]
    kept: float | None
    all_got: dict[str, int]


class Opener(Record):
    """How often messages begin with the same two words or four Chinese characters; ``share`` is in 0..1."""

    text: str
    count: int
    share: float


class Openers(Record):
    """How messages begin. ``top`` are the commonest openers, the commonest first.

    ``covered`` is the share of messages that the 14 commonest begin, in 0..1. ``effective_number`` is exp of
    the entropy: how many equally common openers would be as varied.
    """

    top: tuple[Opener, ...]
    covered: float
    number: int
    effective_number: float


class ClusterMember(Record):
    """One message of a group of near duplicates; ``text`` is cut to 200 characters."""

    message_id: str
    trait: str
    text: str


class Cluster(Record):
    """Messages that repeat one another, exactly or nearly; ``members`` are the first few of them."""

    size: int
    traits: tuple[str, ...]
    members: tuple[ClusterMember, ...]


class Repeats(Record):
    """Near duplicates among messages: ``clusters`` of two or more, and the share of messages in one, in 0..1.

    ``across_traits`` counts the clusters that hold messages of several traits (of a trait: those it shares
    with another), ``shared`` the messages in those. ``largest`` is the size of the largest cluster.
    """

    clusters: int
    messages: int
    share: float
    across_traits: int
    shared: int
    largest: int


class MessageScope(Record):
    """The audit of some messages: of all, of one trait, or of one language.

    ``topics`` and ``registers`` count what the briefs asked for; ``no_brief`` the messages without a brief.
    """

    num_messages: int
    kinds: dict[str, Count]
    lengths: LengthMix
    topics: dict[str, int]
    registers: dict[str, int]
    no_brief: int
    openers: Openers
    repeats: Repeats
    diversity: Diversity


class MessageNote(Record):
    """Something a person should look at. ``scope`` is ``all``, ``trait:NAME`` or ``language:TAG``.

    ``code`` is one of the words in ``audit_messages.toml``; ``text`` says what was found, with its figures.
    """

    code: str
    scope: str
    text: str


class MessageAudit(Record):
    """The audit of a set of messages, over all of them, per trait and per language.

    ``clusters`` are the largest groups of near duplicates, up to ten, as examples.
    """

    run: MessageScope
    by_trait: dict[str, MessageScope] = Field(default_factory=dict)
    by_language: dict[str, MessageScope] = Field(default_factory=dict)
    clusters: tuple[Cluster, ...] = ()
    notes: tuple[MessageNote, ...] = ()
    threshold: float
    seed: int = 0
