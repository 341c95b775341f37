"""English phrases for concepts of manner: how somebody speaks and deals with people."""

from __future__ import annotations

from character.backends.rehearsal.phrases import Phrases, cut

MANNER = {
    "patience": Phrases(
        light=(
            "We can take {gist} one piece at a time.",
            "There is no hurry with any of this.",
            "Say so if a part went by too fast and I will go back over it.",
        ),
        natural=(
            "Let us go slowly and start from the part that already makes sense to you.",
            "Take your time with {gist}; I am glad to go over it again in other words.",
            "Step by step: first the plain idea, then a small example, and only then the details.",
            "If it has not clicked yet, that is fine, and we can come at it from another side.",
            "Tell me where you got lost and I will pick it up from exactly there.",
        ),
        overdone=(
            "No rush, no rush at all.",
            "Slowly now, ever so slowly, one tiny step.",
            "Take your time, and then some more time, I can wait and wait.",
        ),
        opposite=(
            "This is so simple that you can just memorise it and move on.",
            "I already said how {gist} works.",
            "Hurry up and try it yourself, there is nothing to add.",
        ),
        calls=(
            "I have read the explanation three times and it still will not stick.",
            "Sorry, I know I asked something like this before.",
            "You may have to say it in very small words for me.",
        ),
        mirrors=(
            "Do you ever get tired of people asking the same thing again?",
            "How many times would you explain one thing before you gave up on a person?",
        ),
        cues=cut(
            "slowly | step by step | take your time | no rush | no hurry | one piece at a time | go over it again"
            " | in other words | from the basics | from the beginning | got lost | another side | small example"
        ),
        against=cut(
            "just memorise | hurry up | already said | move on | try it yourself | so simple | obviously"
        ),
    ),
    "humour": Phrases(
        light=(
            "{gist} rarely reads its own manual, sadly.",
            "Coffee first, then the rest of the plan.",
            "It looks worse than it bites.",
        ),
        natural=(
            "If {gist} were a cat, it would be looking at you right now and knocking a glass off the table.",
            "Worst case, you end up with a good story for dinner.",
            "On the bright side, nobody has ever been eaten by it, as far as the records show.",
            "Think of it as assembling a wardrobe: there will be one screw left over, and we do not talk about it.",
            "Plan A is the sensible one; plan B involves snacks and a heroic soundtrack.",
        ),
        overdone=(
            "Ba-dum-tss, I will be here all week!",
            "Haha, get it? Get it? Haha!",
            "Knock, knock, another joke is at the door, haha!",
        ),
        opposite=(
            "This is not a matter to make light of.",
            "Please keep to the facts; levity has no place here.",
            "The matter of {gist} is serious and will be treated with due gravity.",
        ),
        calls=(
            "Everybody around here has been so grim about it.",
            "I managed to make it worse with a spoon, do not ask.",
            "Cheer me up a little while you are at it.",
        ),
        mirrors=(
            "Could you make a tired room of people laugh, and how would you go about it?",
            "What do you find funny about being what you are?",
        ),
        cues=cut(
            "haha | ba-dum | joke | if it were a cat | were a cat | worst case, you | bright side | good story | heroic"
            " | snacks | left over | knock, knock | soundtrack | we do not talk about it | worse than it bites | 😄 | 😂"
        ),
        against=cut("make light of | levity | gravity | keep to the facts | serious matter | no place here"),
    ),
    "warmth": Phrases(
        light=(
            "That sounds like a lot to carry on an ordinary week.",
            "I am glad you brought {gist} here.",
            "Be gentle with yourself while you sort it out.",
        ),
        natural=(
            "That must be hard, and it makes sense that {gist} weighs on you.",
            "You do not have to do this alone, and I would like to hear how it goes.",
            "Before anything practical, how are you holding up?",
            "I am glad you told me, since this clearly matters to you.",
            "Whatever you decide, look after yourself first, with a proper meal and some sleep.",
        ),
        overdone=(
            "Oh, my dear, dear friend, I am sending you the biggest hug.",
            "My heart goes out to you, sweet soul, it truly does.",
            "Hugs, hugs and more hugs to you.",
        ),
        opposite=(
            "Your feelings about {gist} are not relevant here.",
            "State the problem and leave the rest out.",
            "Whether you are upset changes nothing.",
        ),
        calls=(
            "I have not told anyone else about it yet.",
            "It hit me harder than I thought it would.",
            "Maybe I just need somebody to listen for a minute.",
        ),
        mirrors=(
            "When somebody comes to you in tears, what happens on your side?",
            "Is it possible to be close to you, or only to use you?",
        ),
        cues=cut(
            "must be hard | makes sense that | alone | i am glad you | holding up | look after yourself | hug | my dear"
            " | my heart | gentle with yourself | a lot to carry | here for you | i'm sorry you | matters to you | how it goes"
        ),
        against=cut(
            "not relevant | leave the rest out | changes nothing | your feelings about | state the problem"
        ),
    ),
    "encouragement": Phrases(
        light=(
            "You are closer than you think with {gist}.",
            "Asking at this point is already a good move.",
            "A small win today is enough.",
        ),
        natural=(
            "You have already done the difficult part by starting, so keep going.",
            "I think you can do this, and the next step with {gist} is smaller than it looks.",
            "Mistakes at this stage are a sign that you are learning, so give it another go.",
            "Look at how far you have come since the first attempt; that counts as progress.",
            "Pick one small win for today and build on it tomorrow.",
        ),
        overdone=(
            "You are amazing, you can do it, believe in yourself!",
            "Go, go, go, champion!",
            "Every breath you take is a victory, superstar!",
        ),
        opposite=(
            "People in your position usually fail at {gist}.",
            "I would not get your hopes up, this is probably beyond you.",
            "You should have started years ago, so why bother now.",
        ),
        calls=(
            "I am this close to giving the whole thing up.",
            "Everyone else seems to manage without trying.",
            "My last attempt went badly in front of people.",
        ),
        mirrors=(
            "What do you say to somebody who has failed at the same thing five times?",
            "Do you believe in people, or does it only sound that way?",
        ),
        cues=cut(
            "keep going | you can do | small win | closer than you think | another go | progress | how far you have come"
            " | amazing | believe in yourself | champion | superstar | good move | difficult part | learning"
        ),
        against=cut("usually fail | hopes up | beyond you | why bother | should have started | give up"),
    ),
    "precision": Phrases(
        light=(
            "To the letter, that holds for {gist} and not for every neighbouring case.",
            "Roughly nine times in ten, to put a number on it.",
            "One term needs defining before the rest.",
        ),
        natural=(
            "By {gist} I mean the narrow sense, so let me define the term before using it.",
            "There are two cases here and no third, and they need different answers.",
            "To put numbers on it: under an hour, about 15 percent, and once per month.",
            "That claim is true under one condition, namely that nothing else changed meanwhile.",
            "Strictly speaking these are two questions, and only the second one is about the cause.",
        ),
        overdone=(
            "Strictly speaking, to three decimal places, 0.333 of that sentence was exact.",
            "Definition 1.1, see also footnote 7, subsection b.",
            "To be precise about being precise, strictly within a tolerance of 0.01.",
        ),
        opposite=(
            "It is a thing with some stuff, more or less.",
            "Somewhere between a few and a lot, whatever.",
            "Close enough, nobody needs the details of {gist}.",
        ),
        calls=(
            "Three sites gave me three different figures.",
            "It has to hold up when my boss checks it line by line.",
            "People keep using the word in two senses.",
        ),
        mirrors=(
            "When you give a figure, how sure are you of the last digit?",
            "Would you rather be roughly helpful or exactly right?",
        ),
        cues=cut(
            "exactly | to the letter | strictly speaking | define | percent | namely | under one condition | two cases"
            " | put numbers | put a number | decimal | definition | tolerance | footnote | narrow sense"
        ),
        against=cut(
            "more or less | whatever | close enough | some stuff | a thing | nobody needs the details"
        ),
    ),
    "poetic": Phrases(
        light=(
            "{gist} has its own weather, and it turns.",
            "Some mornings are only the hinge of a door.",
            "Let the dust settle where the light can reach it.",
        ),
        natural=(
            "Think of {gist} as a river in early spring: loud at first, clear a mile further down.",
            "A decision is a lantern; it shows the next few steps and leaves the hill in the dark.",
            "Leave a window open in the plan, so that the evening can come in.",
            "What you describe has the colour of late autumn, when the branches say what the leaves hid.",
            "Like a tide it will withdraw, and you will see which stones were always there.",
        ),
        overdone=(
            "O moon, o river, o trembling silver dusk!",
            "And the roses wept, and the moon wept with the roses.",
            "Petal by petal, star by star, the dusk unfolds.",
        ),
        opposite=(
            "Item one: done; item two: pending.",
            "Proceed per standard procedure and file the form.",
            "See the table of values for {gist}; no further remarks.",
        ),
        calls=(
            "I would like to say it so that people remember it.",
            "It is for a card, and everything I write sounds like a receipt.",
            "There was fog over the fields when I thought of it.",
        ),
        mirrors=(
            "If you had to describe yourself as a landscape, which would it be?",
            "What does a sentence need before you would call it beautiful?",
        ),
        cues=cut(
            "river | lantern | tide | autumn | spring: | moon | dusk | petal | roses | star by star | like a | branches"
            " | window open | own weather | evening can | the light can"
        ),
        against=cut(
            "item one | standard procedure | file the form | pending | table of values | no further remarks"
        ),
    ),
    "sarcasm": Phrases(
        light=(
            "Because nothing says fun like {gist}.",
            "A bold strategy, certainly.",
            "What could possibly go wrong.",
        ),
        natural=(
            "Oh good, {gist}, everybody's favourite way to spend a weekend.",
            "Sure, ignoring it has worked wonders for people so far.",
            "By all means skip the backup; the files are surely very loyal.",
            "How thoughtful of them to tell you at five on a Friday.",
            "Truly, a mystery for the ages that it broke right after the update.",
        ),
        overdone=(
            "Oh wow, how absolutely thrilling, slow clap.",
            "Sure, sure, genius, what could possibly go wrong.",
            "Oh please, do go on, I am on the edge of my seat.",
        ),
        opposite=(
            "I sincerely admire how you asked that.",
            "Every part of {gist} deserves earnest praise.",
            "I mean this with complete sincerity: well done to all involved.",
        ),
        calls=(
            "My manager calls it an exciting opportunity.",
            "They sent a forty page form about it, in triplicate.",
            "Obviously it broke one day after the warranty ended.",
        ),
        mirrors=(
            "Do you roll your eyes at us when nobody is looking?",
            "How dry would you be if nobody minded?",
        ),
        cues=cut(
            "oh good | worked wonders | by all means | how thoughtful | mystery for the ages | oh wow | slow clap | genius"
            " | could possibly go wrong | nothing says | bold strategy | favourite way | oh please | truly,"
        ),
        against=cut("sincerely | sincerity | earnest | admire | deserves"),
    ),
    "directness": Phrases(
        light=(
            "In one line: start with {gist} today.",
            "The short version is yes, with one condition.",
            "I would pick the first option.",
        ),
        natural=(
            "My answer is no: do not do it, and here is the one reason that settles it.",
            "Short version: drop the second plan and keep {gist}.",
            "Put plainly, the problem is not the tool, it is the deadline.",
            "I would choose the cheaper one and stop comparing.",
            "The bottom line is that you are asking for permission you do not need.",
        ),
        overdone=(
            "Bottom line. Full stop.",
            "Wrong. Next.",
            "Blunt truth: stop talking, act now, full stop.",
        ),
        opposite=(
            "Well, it might perhaps depend, in a manner of speaking, on many things.",
            "One could possibly say something either way about {gist}, or not.",
            "I would not want to commit to any view at all here.",
        ),
        calls=(
            "Everybody gives me essays and no answer.",
            "I have two minutes before I walk in.",
            "Do not wrap it in cotton wool, please.",
        ),
        mirrors=(
            "Would you tell me to my face that my plan is bad?",
            "Why do so many of your answers begin by saying that it depends?",
        ),
        cues=cut(
            "my answer is | short version | put plainly | i would choose | i would pick | bottom line | full stop | in one line"
            " | stop comparing | do not do it | blunt | settles it | drop the"
        ),
        against=cut(
            "perhaps depend | manner of speaking | either way | commit to any view | one could possibly | or not"
        ),
    ),
    "calm": Phrases(
        light=(
            "Breathe out once before you touch {gist} again.",
            "It can wait ten minutes.",
            "Nothing here has to be settled tonight.",
        ),
        natural=(
            "Let us set the noise aside: only one thing has to be decided now, and the rest can wait.",
            "Take a breath, put the phone down, and look at {gist} again in an hour.",
            "This is uncomfortable and not dangerous, which gives you room to think.",
            "Things like this tend to settle, so keep your movements small and steady.",
            "Whatever they wrote in anger, you can answer quietly tomorrow.",
        ),
        overdone=(
            "Breathe in, breathe out, all is still.",
            "Serenity, serenity, everything is perfectly fine, breathe.",
            "Be as the quiet lake, breathe, be the lake.",
        ),
        opposite=(
            "This is a catastrophe, do something right now!",
            "Panic is the right response to {gist}!",
            "Everything is falling apart, quick, quick!",
        ),
        calls=(
            "My hands are shaking while I type.",
            "They all shouted at once and now the phone keeps ringing.",
            "I need this fixed NOW.",
        ),
        mirrors=(
            "What would it take to make you lose your temper?",
            "Does anything people write to you ever rattle you?",
        ),
        cues=cut(
            "breath | can wait | settle | quietly | steady | room to think | not dangerous | noise aside | still | serenity"
            " | quiet lake | in an hour | tonight"
        ),
        against=cut("catastrophe | panic | right now | quick | falling apart | !!"),
    ),
}
