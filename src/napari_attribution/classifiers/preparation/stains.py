"""A stain is found by name: which of the well's stains is which of the classifier's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from napari_attribution.errors import StainError


def propose_stains(card_stains: Sequence[str], well_stains: Sequence[str]) -> dict[str, str | None]:
    """The well's stain of the same name (upper and lower case alike) for each of the card's, None where there is none."""
    by_name = {name.strip().casefold(): name for name in well_stains}
    return {stain: by_name.get(stain.strip().casefold()) for stain in card_stains}


def match_stains(
    card_stains: Sequence[str], well_stains: Sequence[str], stain_map: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Which of the well's stains the classifier gets for each of its own.

    Parameters
    ----------
    card_stains : the classifier's stains, in its order.
    well_stains : the well's stains.
    stain_map : mapping of a card's stain to a well's stain, optional
        For those whose names differ; the others are found by name.

    Returns
    -------
    dict of card stain to well stain, in the order of the card.

    Raises
    ------
    StainError
        With the table of both sides, where a stain is missing or used twice. Nothing is guessed by position.
    """
    given = {key.strip().casefold(): value.strip() for key, value in (stain_map or {}).items()}
    unknown = [
        key for key in (stain_map or {}) if key.strip().casefold() not in {s.strip().casefold() for s in card_stains}
    ]
    if unknown:
        raise StainError(
            f"The stain map names {', '.join(map(repr, unknown))}, which the classifier does not use; "
            f"it uses {', '.join(card_stains)}."
        )
    wanted = [given.get(stain.strip().casefold(), stain) for stain in card_stains]
    found = propose_stains(wanted, well_stains)
    mapping = {stain: found[name] for stain, name in zip(card_stains, wanted, strict=True)}
    missing = [stain for stain, name in mapping.items() if name is None]
    if missing:
        raise StainError(
            f"The well lacks {len(missing)} of the {len(card_stains)} stains that the classifier wants "
            f"({', '.join(missing)}); it has {', '.join(well_stains)}. Say which stain is which.\n"
            + table(mapping, well_stains)
        )
    matched = {stain: name for stain, name in mapping.items() if name is not None}
    twice = [name for name in set(matched.values()) if list(matched.values()).count(name) > 1]
    if twice:
        raise StainError(
            f"The well's stain {twice[0]} stands for more than one of the classifier's.\n" + table(mapping, well_stains)
        )
    return matched


def table(mapping: Mapping[str, str | None], well_stains: Sequence[str]) -> str:
    """Both sides as text, one stain a line."""
    width = max(len("classifier"), *(len(stain) for stain in mapping))
    lines = [f"  {'classifier':<{width}}   well"]
    lines += [f"  {stain:<{width}} {'-' if name else '?'} {name or 'missing'}" for stain, name in mapping.items()]
    unused = [name for name in well_stains if name not in mapping.values()]
    lines += [f"  {'(unused)':<{width}}   {name}" for name in unused]
    return "\n".join(lines)
