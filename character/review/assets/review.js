"use strict";
/* The page's own keys, dragging and drafts. It makes elements by their names and texts, never markup from strings. */
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const form = () => $("#work form.item");
  const task = () => form()?.dataset.task;
  const cards = () => $$("#work .option");
  const current = () => document.activeElement?.closest?.("#work .option");
  let placed = []; // letters in the order in which they got a rank, for z

  const say = (text) => { const said = $("#said"); said.textContent = ""; setTimeout(() => { said.textContent = text; }, 30); };
  const alertWith = (text) => { const box = $("#alert"); box.textContent = text; box.hidden = !text; if (text) box.scrollIntoView({ block: "nearest" }); };
  const stored = (area, key, value) => {
    try {
      if (value === undefined) return area.getItem(key);
      if (value === null) area.removeItem(key); else area.setItem(key, value);
    } catch { /* a browser that keeps nothing: the page works, only drafts are not restored */ }
    return null;
  };

  /* ranks */
  const rankOf = (letter) => Number($(`input[name="rank-${letter}"]:checked`)?.value ?? 0);
  const letters = () => cards().map((card) => card.dataset.letter);
  const unranked = () => letters().filter((letter) => !rankOf(letter));
  const chipFor = (letter) => {
    const chip = document.createElement("span");
    chip.className = "letter chip grip";
    chip.dataset.letter = letter;
    chip.textContent = letter;
    return chip;
  };
  const drawRanks = () => {
    for (const slot of $$("#work .slot")) {
      const here = letters().filter((letter) => rankOf(letter) === Number(slot.dataset.rank));
      $(".chips", slot).replaceChildren(...here.map(chipFor));
    }
    for (const card of $$("#work form.rank .option")) card.classList.toggle("ranked", rankOf(card.dataset.letter) > 0);
  };
  const setRank = (letter, rank) => {
    const input = $(`input[name="rank-${letter}"][value="${rank}"]`);
    if (!input) return false;
    input.checked = true;
    noteRank(letter);
    return true;
  };
  const noteRank = (letter) => {
    placed = [...placed.filter((other) => other !== letter), letter];
    drawRanks();
    keepDraft();
    const left = unranked().length;
    const data = form().dataset;
    say(`${fill(data.placed, { letter, rank: rankOf(letter) })} ${left ? fill(data.toGo, { number: left }) : data.allPlaced}`);
  };
  const takeBackRank = () => {
    const letter = placed.pop();
    const input = letter && $(`input[name="rank-${letter}"]:checked`);
    if (!input) return false;
    input.checked = false;
    drawRanks();
    keepDraft();
    $(`#work .option[data-letter="${letter}"]`).focus();
    say(fill(form().dataset.removed, { letter }));
    return true;
  };
  const rankByKey = (rank) => {
    const all = cards();
    const target = current() ?? all.find((card) => !rankOf(card.dataset.letter)) ?? all[0];
    if (!target || !setRank(target.dataset.letter, rank)) return;
    const from = all.indexOf(target);
    const next = [...all.slice(from + 1), ...all.slice(0, from)].find((card) => !rankOf(card.dataset.letter));
    (next ?? target).focus();
  };

  /* drafts: what was entered and not sent survives a reload, in this window alone */
  const draftInputs = () => $$("#work input[type=radio], #work textarea");
  const keepDraft = () => {
    if (!form()) return;
    const values = {};
    for (const input of draftInputs()) if (input.type !== "radio" || input.checked) values[input.name] = input.value;
    stored(sessionStorage, form().dataset.draft, JSON.stringify({ values, placed }));
  };
  const restoreDraft = () => {
    placed = [];
    const text = form() && stored(sessionStorage, form().dataset.draft);
    if (text) {
      const draft = JSON.parse(text);
      placed = draft.placed;
      for (const input of draftInputs()) {
        if (input.type === "radio") input.checked = draft.values[input.name] === input.value;
        else if (input.name in draft.values) input.value = draft.values[input.name];
      }
    }
    drawRanks();
  };

  /* sending */
  const complaint = () => {
    const data = form().dataset;
    if (task() === "rank" && unranked().length) return [fill(data.noRank, { letters: unranked().join(", ") }), `.option[data-letter="${unranked()[0]}"]`];
    if (task() === "effect" && !$('[name="guess"]:checked')) return [data.noGuess, '[name="guess"]'];
    if (task() === "effect" && !$('[name="overdone"]:checked')) return [data.noOverdone, '[name="overdone"]'];
    const sign = task() === "sign" ? $('[name="sign"]:checked')?.value ?? "" : "yes";
    if (!sign) return [data.noSign, '[name="sign"]'];
    if (sign === "no" && !$('#work [name="note"]').value.trim()) return [data.noReason, '[name="note"]'];
    return null;
  };
  const press = (value) => $(`#work button[name="action"][value="${value}"]`)?.click();

  document.addEventListener("htmx:confirm", (event) => {
    const submitter = event.detail.triggeringEvent?.submitter;
    if (event.detail.elt !== form() || (submitter && submitter.value !== "submit")) return;
    const wrong = complaint();
    if (!wrong) return;
    event.preventDefault();
    alertWith(wrong[0]);
    $(`#work ${wrong[1]}`).focus();
  });
  document.addEventListener("htmx:beforeRequest", (event) => { if (event.detail.requestConfig.verb === "post") alertWith(""); });
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.requestConfig.verb === "post" && event.detail.xhr.status === 200 && form()) stored(sessionStorage, form().dataset.draft, null);
  });
  document.addEventListener("htmx:responseError", (event) => {
    if (event.detail.requestConfig.verb !== "post") return;
    const { status, responseText } = event.detail.xhr;
    alertWith(status === 403 ? document.body.dataset.reopen : `${document.body.dataset.refused} ${responseText}`);
  });
  document.addEventListener("htmx:sendError", (event) => { if (event.detail.requestConfig.verb === "post") alertWith(document.body.dataset.gone); });
  document.addEventListener("htmx:afterSwap", (event) => {
    const panel = $("#panel .panel");
    if (panel) {
      $("#count").textContent = panel.dataset.count;
      $("#meanwhile span").textContent = panel.dataset.meanwhile;
      $("#meanwhile").hidden = !panel.dataset.meanwhile;
    }
    if (event.detail.requestConfig?.verb !== "post") return;
    begin();
    window.scrollTo(0, 0);
    say($("#work").dataset.said);
    (cards()[0] ?? $("#work")).focus({ preventScroll: true });
    htmx.trigger("#panel", "refresh");
  });

  /* keys */
  const shortcutsOn = () => stored(localStorage, "review shortcuts") !== "off";
  const typing = (target) => target.closest("textarea, select, input:not([type=radio]):not([type=checkbox])");
  const move = (step) => {
    const all = cards();
    const at = all.indexOf(current());
    all[at < 0 ? 0 : Math.min(all.length - 1, Math.max(0, at + step))]?.focus();
  };
  const verdict = (value) => {
    const card = current() ?? cards()[0];
    const input = card && $(`input[type=radio][value="${value}"]`, card);
    if (!input) return;
    input.checked = true;
    keepDraft();
    card.focus();
    say(input.parentElement.textContent.trim());
  };
  const choose = (key) => {
    const input = $(`#work input[data-key="${key}"]`);
    if (!input) return false;
    input.checked = true;
    keepDraft();
    say(input.parentElement.textContent.trim());
    return true;
  };
  const act = (key, target) => {
    const arrows = key === "ArrowLeft" || key === "ArrowRight";
    if (/^[1-9]$/.test(key) && task() === "rank") { rankByKey(Number(key)); return true; }
    if (key === "Enter") { if (target.closest("button, a, summary")) return false; press("submit"); return true; }
    if (key === "j" || key === "k") { move(key === "j" ? 1 : -1); return true; }
    if (key === "s") { press("skip"); return true; }
    if (key === "u" && task() === "rank") { press("unsuitable"); return true; }
    if (key === "z") { if (task() !== "rank" || !takeBackRank()) $("#undo")?.click(); return true; }
    if ((key === "a" || key === "v") && task() === "check") { verdict(key === "a" ? "approve" : "veto"); return true; }
    if (task() === "compare" && (arrows || key === "=")) { press({ ArrowLeft: "left", ArrowRight: "right", "=": "tie" }[key]); return true; }
    if (task() === "sign" && key === "e") { $('#work [name="note"]').focus(); return true; }
    if (["effect", "sign"].includes(task()) && !(arrows && target.matches("input"))) return choose(key);
    return false;
  };
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat) return;
    if (event.key === "Escape" && typing(event.target)) { (event.target.closest(".option") ?? cards()[0])?.focus(); return; }
    if (typing(event.target) || !shortcutsOn()) return;
    if (act(event.key, event.target)) event.preventDefault();
  });
  document.addEventListener("input", (event) => {
    if (event.target.matches("#shortcuts")) { stored(localStorage, "review shortcuts", event.target.checked ? "on" : "off"); return; }
    if (event.target.matches(".filters select")) { event.target.form.requestSubmit(); return; }
    if (event.target.name?.startsWith("rank-")) noteRank(event.target.name.slice(5));
    else if (event.target.closest("#work")) keepDraft();
  });

  /* dragging a letter onto a rank, by mouse, pen or finger */
  let drag = null;
  const slotAt = (event) => document.elementFromPoint(event.clientX, event.clientY)?.closest("#work .slot");
  const light = (slot) => { for (const each of $$("#work .slot")) each.classList.toggle("over", each === slot); };
  const endDrag = () => { drag?.ghost?.remove(); light(null); document.body.classList.remove("dragging"); drag = null; };
  document.addEventListener("pointerdown", (event) => {
    const grip = event.target.closest?.("#work form.rank .grip");
    if (!grip || event.button !== 0) return;
    event.preventDefault();
    drag = { letter: grip.dataset.letter, x: event.clientX, y: event.clientY, ghost: null };
  });
  document.addEventListener("pointermove", (event) => {
    if (!drag) return;
    if (!drag.ghost) {
      if (Math.hypot(event.clientX - drag.x, event.clientY - drag.y) < 4) return;
      drag.ghost = chipFor(drag.letter);
      drag.ghost.classList.add("ghost");
      document.body.append(drag.ghost);
      document.body.classList.add("dragging");
    }
    drag.ghost.style.transform = `translate(${event.clientX}px, ${event.clientY}px)`;
    light(slotAt(event));
  });
  document.addEventListener("pointerup", (event) => {
    if (!drag) return;
    const { letter, ghost } = drag;
    const slot = ghost && slotAt(event);
    endDrag();
    if (slot) setRank(letter, Number(slot.dataset.rank));
    else if (!ghost) $(`#work .option[data-letter="${letter}"]`)?.focus();
  });
  document.addEventListener("pointercancel", endDrag);

  /* folds that stay as the reviewer left them */
  document.addEventListener("toggle", (event) => {
    const name = event.target.dataset?.keep;
    if (name) stored(localStorage, `review fold ${name}`, event.target.open ? "open" : "closed");
  }, true);

  const begin = () => {
    for (const fold of $$("details[data-keep]")) fold.open = stored(localStorage, `review fold ${fold.dataset.keep}`) === "open";
    const box = $("#shortcuts");
    if (box) box.checked = shortcutsOn();
    restoreDraft();
  };
  begin();
  setInterval(() => { if (document.visibilityState === "visible") htmx.trigger("#panel", "refresh"); }, 4000);
})();
