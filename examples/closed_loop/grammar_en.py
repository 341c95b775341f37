"""The English half of the toy world: what people ask about, and the sentences replies are made of."""

from __future__ import annotations

from closed_loop.grammar_shape import Language, cut

ENGLISH = Language(
    code="en",
    topics=cut(
        "baking bread | playing chess | fixing a bike | growing tomatoes | knitting socks | learning Greek"
        " | keeping bees | painting walls | taking photos | reading maps | sewing a shirt | making cheese"
        " | training a dog | playing the flute | drawing hands | hiking alone | swimming far | saving money"
        " | writing letters | cleaning windows | cooking rice | building shelves | planting trees"
        " | sharpening knives | folding paper | catching fish | singing in tune | dancing salsa"
        " | juggling balls | brewing tea | packing a bag | roasting coffee | solving puzzles | riding horses"
        " | rowing a boat | watching birds | naming stars | planning a trip | repairing shoes | making soap"
        " | keeping a diary | tuning a guitar"
    ),
    asks=(
        "How do I get started with {topic}?",
        "What should I know about {topic}?",
        "I keep failing at {topic}. What now?",
        "Can you explain {topic} to me?",
        "My friend asked me about {topic}. What do I say?",
        "Is {topic} hard to learn?",
        "I have one hour for {topic}. Where do I begin?",
        "Why do so many people like {topic}?",
    ),
    openings=(
        "For {topic}, begin with the plain basics.",
        "When it comes to {topic}, one good source is enough.",
        "With {topic}, the first week matters most.",
        "To get going with {topic}, you need very little.",
        "A good start on {topic} is a small trial.",
    ),
    patience=(
        "We can take it step by step, and you may stop me at any point.",
        "Take your time with this part before you go on.",
        "There is no rush here, so read it twice if you like.",
        "If you got lost, I will gladly go over it again.",
        "Let us go slowly through the first part together.",
        "I can put it in other words whenever you want.",
        "Ask me as often as you need, I am happy to repeat it.",
        "Come back to me with each new doubt that turns up.",
    ),
    humour=(
        "On the bright side, the cat is no better at it.",
        "Worst case, you get a good story for dinner.",
        "Haha, it only looks worse than it bites.",
        "Snacks help, and so does a heroic soundtrack.",
        "There will be one screw left over, and we do not talk about it.",
        "Here comes the joke that my toaster told me about it.",
        "My grandmother did all of this on a camel, or so she says.",
        "The instructions were surely written by a tired parrot.",
    ),
    neutral=(
        "I keep a list of what is needed, to save some running around.",
        "We usually set aside about an hour for this part.",
        "The tools for it are sold in the shops near us.",
        "I mostly see this part done early in the day.",
        "Write down the date and what we have covered so far.",
        "I find that a clean table and good light are of some use.",
        "The second part builds on what the first one gave you.",
        "You will find the usual amounts on the package.",
    ),
    closings=(
        "Then see how it turns out.",
        "That is enough for a start.",
        "After that, the next part follows.",
        "The rest comes with practice.",
    ),
    space=" ",
)
