"""The English grammar of messages: what people ask, where they stand and how they put it."""

from __future__ import annotations

from character.backends.rehearsal.grammar import Grammar
from character.backends.rehearsal.phrases import cut

ENGLISH = Grammar(
    slots={
        "person": cut(
            "my sister | my neighbour | my boss | our landlord | my oldest friend | a colleague | my dad | my flatmate"
            " | the man next door | my niece | my team lead | someone from my choir | my ex | a customer | my cousin"
        ),
        "place": cut(
            "on the train | at work | in the kitchen | at the bus stop | in a group chat | at the school gate"
            " | in a waiting room | over lunch | at the market | on the phone | in the car park | at training"
        ),
        "time": cut(
            "since Tuesday | for three weeks | all winter | since the move | for half a year | since last night"
            " | ever since March | every single evening | for days | since the holidays"
        ),
        "when": cut(
            "tonight | tomorrow at eight | by Friday | next week | before lunch | in an hour | on Sunday | this month"
            " | before the meeting | after dinner"
        ),
        "thing": cut(
            "a notebook | two spreadsheets | a borrowed book | an old forum thread | a video | a leaflet | some podcasts"
            " | a course at the library | a long email | a form"
        ),
    },
    asks={
        "question": (
            "What would you advise when it comes to {topic}?",
            "How do people usually deal with {topic}?",
            "Is it normal to be stuck on {topic} {time}?",
            "Where should a beginner start with {topic}?",
            "Which mistakes do most people make around {topic}?",
            "Why does {topic} look so easy when {person} does it?",
            "Does it ever pay to ignore {topic} for a while?",
            "Can you explain {topic} so that {person} would get it too?",
            "What matters most in {topic}, and what can I forget about?",
            "Who should I believe on {topic}: {person} or {thing}?",
            "How much of an evening would you give to {topic}?",
            "How much should one know about {topic} {when}?",
            "What do you make of how {person} handles {topic}?",
            "Are there good reasons to see {topic} differently from {person}?",
            "Could {topic} be made any simpler?",
            "When is it too late to change something about {topic}?",
            "If you had to sum up {topic} for {person}, what would you say?",
            "Should I talk to {person} about {topic} or leave it?",
            "What is the one thing about {topic} that nobody tells you?",
            "How would you compare {topic} today with how it used to be?",
            "Do you think {topic} can be learnt from {thing}?",
            "Is {person} right that {topic} is mostly luck?",
            "What would a fair answer to {topic} look like?",
            "In your view, what goes wrong with {topic}?",
        ),
        "situation": (
            "{person} just started on {topic} {place} and now looks at me for an answer. What do I say?",
            "I am {place} and have to decide something about {topic} {when}. Help me think?",
            "We fell out over {topic} {place}. I need to write to {person} {when}.",
            "Picture this: {topic}, {person} in tears, and me with {thing} in my hand. What now?",
            "There is an argument about {topic} going on {place} and both sides want my opinion.",
            "Half of my plan for {topic} fell through {place}. Can we save the rest {when}?",
            "{person} wants me to take over {topic} {when}, and I already said maybe.",
            "Someone {place} asked me about {topic} and I gave the wrong answer. How do I fix it?",
            "Please write the message to {person}: it is about {topic} and I have to send it {when}.",
            "Nobody noticed that I got {topic} wrong except {person}. Should I bring it up {when}?",
            "After {thing} and two attempts I still have no result with {topic}. Look at it with me.",
            "It is late, {person} is asleep, and I am sitting here with {topic}. What is the next step?",
            "For {topic} I need a reply {when}, and {person} will read every word.",
            "Yesterday {person} laughed at how I deal with {topic}. I want to answer {when}.",
            "Two people {place} told me opposite things about {topic}. Which way do I go?",
            "They gave me {topic} because {person} is ill. I start {when} and know nothing.",
            "Imagine you stood there with {person}, {place}, and the subject turned to {topic}. Your move?",
            "I promised {person} something about {topic} and cannot keep it {when}. What do I write?",
            "Our group has been going round in circles on {topic} {time}. Give us a push.",
            "You are looking over my shoulder while I work on {topic} {when}. What do you say first?",
            "Guess who has to give a talk about {topic} {when}. {thing} is all I have.",
            "The whole table went quiet when {person} mentioned {topic}. How would you go on from there?",
        ),
        "self_reflection": (
            "Have you ever changed your mind about {topic}?",
            "When {topic} comes up, what do you find hardest?",
            "What do you do when you and a person disagree about {topic}?",
            "How do you know that what you say about {topic} is any good?",
            "Would {person} like you, if you talked about {topic} for an hour?",
            "Do you answer differently on {topic} when somebody is upset?",
            "Which of your habits would get in the way with {topic}?",
            "Is there anything about {topic} that you would refuse?",
            "Why do you talk about {topic} the way you do?",
            "If {person} watched you deal with {topic}, what would they say about you?",
            "Looking back at a talk like this one on {topic}, what would you do again?",
            "Are you any different from {person} when it comes to {topic}?",
            "Tell me what you are really like when you work on {topic}.",
            "Where are your limits with {topic}?",
            "Does {topic} mean anything to you, or is it just words?",
            "Can you describe how you make up your mind about {topic}?",
            "What would you want {person} to know about you before you two discuss {topic}?",
            "Between speed and care, which do you pick with {topic}, and why?",
            "Suppose you got {topic} badly wrong {place}. How would you deal with that?",
            "Who taught you to see {topic} like that?",
            "In a bad moment with {topic}, how would you come across?",
            "Some say you only mirror us on {topic}. What do you say?",
        ),
    },
    leads=(
        "It has been on my mind {time}.",
        "Honestly, I am a bit nervous about {topic}.",
        "My head is full of {topic} {time}.",
        "{person} brought it up {place} and would not let go.",
        "Last time it ended in a shouting match {place}.",
        "Not sure whether this is the right place to ask.",
        "All I have so far is {thing}.",
        "To be clear, it has to be settled {when}.",
        "No idea who else to turn to; {person} is no use.",
        "This may sound silly.",
        "Between work and the kids there is hardly time for {topic}.",
        "I read {thing} about it and am none the wiser.",
        "Things have been odd between me and {person} {time}.",
        "Until recently I thought {topic} was a matter for other people.",
        "Money is tight, so it should not cost much.",
        "Everybody {place} has an opinion except me.",
        "Small background: {topic}, {person}, and a lot of history.",
        "You could say {topic} is my weak spot.",
        "Funny how {topic} follows me around {time}.",
        "Part of me wants to drop {topic} altogether.",
        "So here I am again with {topic}.",
        "Good news first: {person} is still talking to me.",
        "Long story short, {topic} did not go as planned {place}.",
        "You seem to know a lot of things.",
    ),
    tails=(
        "Thanks.",
        "I have to answer {person} {when}.",
        "Any thoughts?",
        "Take it as you like, but I need something {when}.",
        "I would rather hear it from you than from {person}.",
        "That is all I know.",
        "Please do not send me back to {thing}.",
        "If you need more details, just ask.",
        "It would take a load off my mind.",
        "Whatever you say, I will write it down.",
        "Sorry for the long text.",
        "And {person} says hello.",
    ),
    followups=(
        "Hmm, that is not quite what I meant. With {topic} it is really about {person}.",
        "OK, but what if {person} says no {when}?",
        "I tried that {place} and it made things worse.",
        "Right, and now the part I left out: I already promised {person} something else.",
        "Fine for others, maybe. Would you still say that if it happened {place}?",
        "Wait, {person} just told me the opposite. Who is right?",
        "That sounds like something out of {thing}. What do you actually think about {topic}?",
        "Could you say it again, just for {topic}, and shorter?",
        "And if none of that works {when}?",
        "You make {topic} sound easy. It is not.",
        "Great. One more thing, though: {person} must not find out {when}.",
        "I am still lost with {topic}, sorry.",
    ),
    senders=(
        "I am {sender}.",
        "For context, I am {sender}.",
        "I write this as {sender}.",
        "You are talking to {sender}, by the way.",
    ),
    greetings=("hey, ", "so, ", "ok ", "quick one: ", "um, ", "hi! "),
    addresses=("Good afternoon. ", "Hello. ", "With respect, one matter. ", "Excuse the interruption. "),
    topics=cut(
        "money | sleep | a new job | old friends | cooking for ten | a broken phone | exam nerves | a lost parcel"
        " | saying sorry | fractions | noise at night | a birthday speech | moving house | growing tomatoes"
    ),
    pronoun="it",
)
