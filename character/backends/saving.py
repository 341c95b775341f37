"""What a saved module keeps beside its prompts: settings, classes of steps, descriptions of models."""

from __future__ import annotations

import ast
import copy
import pickle
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from functools import wraps
from typing import Any, ClassVar, Self

import cloudpickle
import dspy
from pydantic import BaseModel

from character._version import __version__
from character.backends.dspy_compat import FROZEN
from character.backends.saved_fields import below, check_predictors, fields_in, fields_of
from character.backends.saved_models import NOT_COPIED, described, not_restored, restored
from character.errors import CharacterError, InputError
from character.text import path_of

SECTION = "character"
"""The key of all this in a module's state; DSPy reads its own keys alone."""
_OF_OTHERS = "character/inside"
"""The same in the state of somebody's own module, where no predictor can have this name."""
_OF_A_PREDICTOR = {"traces", "train", "demos", "signature", "extended_signature", "fields", "lm"}
Note = tuple[str, str]
"""A place, and what could not be restored there."""
_ALLOW = "load(path, allow_unsafe_lm_state=True) takes it over from a file that you trust"


class KeptModule(dspy.Module):
    """Base of modules that ``save`` and ``load`` whole.

    ``_kept`` are the options of the constructor that are saved, each an attribute of the same name unless
    ``_settings`` says otherwise; ``_model_places`` the attributes that hold models (a mapping, or a tuple),
    ``_step_places`` those that hold steps, ours or a user's. Of a model its description is saved, never a
    key; and of those in such attributes no address of a server either, which belongs in a configuration.
    What ``set_lm`` gave is saved as DSPy does, with the address.
    """

    _kept: ClassVar[tuple[str, ...]] = ()
    _model_places: ClassVar[tuple[str, ...]] = ()
    _step_places: ClassVar[tuple[str, ...]] = ()

    def _settings(self) -> dict[str, Any]:
        """Return the options to save, JSON-native."""
        return {name: _plain(getattr(self, name)) for name in self._kept}

    @classmethod
    def _options(cls, settings: dict[str, Any]) -> dict[str, Any]:
        """Return the constructor's options that saved settings stand for."""
        return settings

    def dump_state(self, json_mode: bool = True) -> dict[str, Any]:
        """Return what ``save`` writes: DSPy's state of each predictor, and settings and models."""
        state: dict[str, Any] = super().dump_state(json_mode=json_mode)
        if not self._kept:
            return state
        models, left_out = {}, {}
        for path, step in _steps_of(self):
            for place, lm in _held_by(step, path):
                models[place], left_out[place] = described(lm, at=False)
        for name, predictor in self.named_predictors():
            if predictor.lm is not None:
                state[name]["lm"], left_out[f"{name}.lm"] = described(predictor.lm, at=True)
        state[SECTION] = {
            "version": __version__,
            "parts": {path: _part(step) for path, step in _steps_of(self)},
            "predictors": fields_of(self),
            "models": models,
            "left_out": {place: names for place, names in left_out.items() if names},
        }
        return state

    def load_state(self, state: Mapping[str, Any], *, allow_unsafe_lm_state: bool = False) -> None:
        """Take over a saved state: settings, prompts, demos and models.

        What cannot be restored is told by a UserWarning that names it. A model that the module was made with
        stays. One of a file is only made where its description can neither send a request to a server of the
        file's choice nor run code of it; ``allow_unsafe_lm_state`` lifts that. Raises InputError where the
        file was saved with another step or predictor of somebody's own, or holds settings that are not valid;
        the module is then as it was.
        """
        state = {name: _known(each) for name, each in state.items()}
        if SECTION not in state:
            super().load_state(state, allow_unsafe_lm_state=allow_unsafe_lm_state)
            if self._kept:
                _warn(f"this state holds prompts alone: the settings of the {type(self).__name__} stay.")
            return
        try:
            # A trial: a fault leaves the module as it was.
            self.deepcopy()._take(state, allow_unsafe_lm_state)
        except CharacterError:
            raise
        except (LookupError, TypeError, AttributeError, ValueError, SyntaxError) as error:
            raise InputError(
                f"this is no state of a {type(self).__name__}: {type(error).__name__}: {error}",
                expected="what save(…) of the same version of character wrote",
            ) from error
        _tell(self._take(state, allow_unsafe_lm_state))

    def _take(self, state: Mapping[str, Any], allow: bool) -> list[Note]:
        """Take over a state; return what could not be."""
        saved = state[SECTION]
        steps = dict(_steps_of(self))
        for path, part in saved["parts"].items():
            step = steps.get(path)
            if path and not _is_same_class(part["class"], path_of(step)):
                name, then = path.rpartition(".")[2], part["class"]
                raise InputError(
                    f"the file was saved with the {name} {then}, this program's is {path_of(step)}.",
                    expected="the same class: what is of one's own is no part of a file",
                    fix=f"make the program with it first ({name}=…), then load.",
                )
            if isinstance(step, KeptModule) and part["settings"] is not None:
                step._set(part["settings"], below(saved["predictors"], path))
        notes = [
            (path or "itself", "is not in the file: its settings stay.")
            for path, step in steps.items()
            if path not in saved["parts"] and isinstance(step, KeptModule)
        ]
        check_predictors(saved["predictors"], fields_of(self))
        before = {name: predictor.lm for name, predictor in self.named_predictors()}
        bare = {
            name: {**state[name], "lm": None} if name in before else state[name]
            for name in saved["predictors"]
        }
        super().load_state(bare, allow_unsafe_lm_state=allow)
        notes += _take_models(self, saved, allow)
        for name, predictor in self.named_predictors():
            if state[name].get("lm"):
                place = f"{name}.lm"
                predictor.lm, note = _model(
                    place, state[name]["lm"], before.get(name), saved["left_out"], allow
                )
                notes += note
        return notes

    def _set(self, settings: Mapping[str, Any], fields: Mapping[str, list[str]]) -> None:
        """Set the options, and make the predictors that go with them where they are ours."""
        home: Any = next(each for each in type(self).__mro__ if "_kept" in vars(each))
        if unknown := settings.keys() - set(self._kept):
            raise InputError(
                f"the file sets {min(unknown)!r}, which a {home.__name__} does not have.",
                expected=f"a state that a {home.__name__} of this version of character saved",
            )
        try:
            fresh = home(**home._options(dict(settings)))
        except (ValueError, TypeError) as error:
            raise InputError(f"the file's settings of the {home.__name__} are not valid: {error}") from None
        for name, value in vars(fresh).items():
            current = vars(self).get(name)
            if name in (*self._model_places, *self._step_places, "history", "callbacks", FROZEN):
                continue
            if isinstance(value, dspy.Module) or isinstance(current, dspy.Module):
                wanted = below(fields, name, keep=True)
                if fields_in(name, current) != wanted and fields_in(name, value) == wanted:
                    setattr(self, name, value)
            else:
                setattr(self, name, value)
        for name in [each for each in vars(self) if each not in vars(fresh)]:
            if isinstance(getattr(self, name), dspy.Predict) and not below(fields, name, keep=True):
                delattr(self, name)

    def save(self, path: Any, save_program: bool = False, modules_to_serialize: Any = None) -> None:
        """Save the state in a ``.json`` or ``.pkl`` file, or with ``save_program`` the module in a folder.

        A file holds no key. A folder is a pickle of everything: where a model was made with ``api_key=…``,
        its key is in there, which a UserWarning says.
        """
        keyed = [place for place, lm in _every_model(self) if lm.kwargs.get("api_key")]
        if save_program and keyed:
            _warn(
                f"{path} holds the key of {', '.join(keyed)}: a whole program is saved with all that it has."
            )
        super().save(path, save_program=save_program, modules_to_serialize=modules_to_serialize)

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled. Raises InputError, which names it, for a model that cannot be."""
        state: dict[str, Any] = super().__getstate__()
        packed = {id(lm): _packed(place, lm) for place, lm in _every_model(self)}
        for name in self._model_places:
            held = state[name]
            if isinstance(held, Mapping):
                state[name] = {key: packed[id(lm)] for key, lm in held.items()}
            else:
                state[name] = tuple(packed[id(lm)] for lm in held)
        return state

    def __copy__(self) -> Self:
        new = type(self).__new__(type(self))
        new.__setstate__(super().__getstate__())
        return new

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        new = type(self).__new__(type(self))
        memo[id(self)] = new
        for _, lm in _every_model(self):  # a model that holds a lock or a connection is shared by the copies
            try:
                copy.deepcopy(lm, memo)
            except NOT_COPIED:
                memo[id(lm)] = lm
        new.__setstate__(copy.deepcopy(super().__getstate__(), memo))
        return new


class _Packed:
    """A model that only cloudpickle can take: one of a class in a script, for instance."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __reduce__(self) -> Any:
        return cloudpickle.loads, (self.data,)


def _packed(place: str, lm: Any) -> Any:
    try:
        pickle.dumps(lm)
    except NOT_COPIED:
        try:
            return _Packed(cloudpickle.dumps(lm))
        except NOT_COPIED as error:
            raise InputError(
                f"{place}, the model {lm.model}, cannot be pickled: {error}",
                expected="models that can be, such as those of build_lm(…) and plain dspy.LM(…)",
                fix="pickle the program without lms, and give it the model again afterwards.",
            ) from error
    return lm


def _known(state: Any) -> Any:
    """Return of a predictor's state what DSPy saves: its ``load`` sets any attribute that a file names, such
    as a configuration with the server to send requests to.
    """
    if not isinstance(state, Mapping) or "signature" not in state:
        return state
    return {name: value for name, value in state.items() if name in _OF_A_PREDICTOR}


def _steps_of(module: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield a module, its steps and modules of ours in them by their dotted paths; its own is empty."""
    yield path, module
    places = module._step_places if isinstance(module, KeptModule) else ()
    inside = ((name, each) for name, each in _ours_in(module) if re.split(r"[.[]", name)[0] not in places)
    for name, each in [*((name, getattr(module, name)) for name in places), *inside]:
        yield from _steps_of(each, f"{path}.{name}".lstrip("."))


def _ours_in(module: Any, path: str = "") -> Iterator[tuple[str, KeptModule]]:
    """Yield the outermost modules that are saved whole in one of somebody's own, as DSPy names places."""
    if path and isinstance(module, KeptModule) and module._kept:
        yield path.lstrip("."), module
    elif isinstance(module, dspy.Module) and not isinstance(module, dspy.Predict):
        for name, held in vars(module).items():
            members: Iterable[tuple[str, Any]] = [("", held)]
            if isinstance(held, list | tuple):  # but nothing deeper: an optimizer's notes hold programs too
                members = ((f"[{number}]", each) for number, each in enumerate(held))
            elif isinstance(held, dict):
                members = ((f"['{key}']", each) for key, each in held.items())
            for place, each in members:
                yield from _ours_in(each, f"{path}.{name}{place}")


def _save_ours_in_others() -> None:
    """Have modules of somebody's own save those of ours in them whole, beside what DSPy saves."""
    dump, load = dspy.Module.dump_state, dspy.Module.load_state

    @wraps(dump)
    def dump_state(module: Any, json_mode: bool = True) -> Any:
        state = dump(module, json_mode=json_mode)
        ours = {} if getattr(module, "_kept", ()) else dict(_ours_in(module))
        section = {path: each.dump_state(json_mode) for path, each in ours.items()}
        return {**state, _OF_OTHERS: section} if section else state

    @wraps(load)
    def load_state(module: Any, state: Any, *, allow_unsafe_lm_state: bool = False) -> None:
        saved = state.get(_OF_OTHERS, {})
        for path, each in () if getattr(module, "_kept", ()) else _ours_in(module):
            if path in saved:
                each.load_state(saved[path], allow_unsafe_lm_state=allow_unsafe_lm_state)
            else:
                _warn(f"{path} is not in the file: the settings of the {type(each).__name__} stay.")
        load(module, state, allow_unsafe_lm_state=allow_unsafe_lm_state)

    dspy.Module.dump_state, dspy.Module.load_state = dump_state, load_state


_save_ours_in_others()


def _held_by(step: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the models that a step itself holds, by their places, such as ``ranker.jurors['one']``."""
    for name in step._model_places if isinstance(step, KeptModule) else ():
        for key, lm in _by_key(getattr(step, name)).items():
            yield f"{path}.{name}[{key!r}]".lstrip("."), lm


def _by_key(held: Any) -> Mapping[Any, Any]:
    return held if isinstance(held, Mapping) else dict(enumerate(held))


def _every_model(module: Any) -> Iterator[tuple[str, Any]]:
    """Yield the module's own models, and those that its predictors were given."""
    yield from _held_by(module)
    for name, predictor in module.named_predictors():
        if predictor.lm is not None:
            yield f"{name}.lm", predictor.lm


def _part(step: Any) -> dict[str, Any]:
    settings = step._settings() if isinstance(step, KeptModule) and step._kept else None
    return {"class": path_of(step), "settings": settings}


def _is_same_class(one: str, other: str) -> bool:
    """Whether two paths name one class; a script's is ``__main__`` where the script itself runs."""
    return one == other or (
        one.rpartition(".")[2] == other.rpartition(".")[2]
        and any(path.startswith("__main__.") for path in (one, other))
    )


def _take_models(module: Any, saved: Mapping[str, Any], allow: bool) -> Iterator[Note]:
    """Give a module and its steps the saved models where they have none; yield what could not be."""
    for path, step in _steps_of(module):
        for name in step._model_places if isinstance(step, KeptModule) else ():
            start, held = f"{path}.{name}[".lstrip("."), getattr(step, name)
            found: dict[str, Any] = {}
            for place, state in saved["models"].items():
                if place.startswith(start):
                    key = ast.literal_eval(place.removeprefix(start)[:-1])
                    now = _by_key(held).get(key)
                    found[key], notes = _model(place, state, now, saved["left_out"], allow)
                    yield from notes
            made = {key: lm for key, lm in found.items() if lm is not None}
            if name == "lms" and isinstance(held, Mapping):
                setattr(step, name, {**made, **held})
            elif not held and len(made) == len(found):  # a jury is whole, or it is another one
                setattr(step, name, made if isinstance(held, Mapping) else tuple(made.values()))


def _model(
    place: str, state: Mapping[str, Any], now: Any, left_out: Mapping[str, list[str]], allow: bool
) -> tuple[Any, list[Note]]:
    """Return (model, notes): the one that is there, else the saved one, else None."""
    name, missing = state.get("model"), left_out.get(place, [])
    if now is not None:
        return now, [] if now.model == name else [(place, f"stays {now.model}; the file names {name}.")]
    lm, note = None, ""
    if not allow and (reason := not_restored(state)):
        note = f"was not restored: {reason}. {_ALLOW}; or give it the model."
    else:
        lm, reason = restored(state, missing)
        if lm is None:
            note = f"could not be made again: {reason}. Give it the model (lms=…, set_lm)."
        elif missing:
            note = f"was saved without {', '.join(missing)}: set it anew if needed."
    return lm, [(place, f"the model {name}, {note}")] if note else []


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return list(value) if isinstance(value, tuple) else value


def _tell(notes: Iterable[Note]) -> None:
    """Warn of each fault once, with all its places."""
    places: dict[str, list[str]] = {}
    for place, fault in notes:
        places.setdefault(fault, []).append(place)
    for fault, at in places.items():
        _warn(f"{', '.join(at)}: {fault}")


def _warn(text: str) -> None:
    warnings.warn(text, UserWarning, stacklevel=5)
