"""The options that say which filings a command is about; a group of options (option_groups)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Annotated, Final, TypeVar

import typer

from shared.client.officer import FilingFilter, FilingState, SubjectKind
from shared.provisions.policy import CHINA_STANDARD_TIME

_PANEL: Final = "Which filings"

Kind = TypeVar("Kind", bound=IntEnum)


@dataclass(frozen=True, slots=True)
class FilterOptions:
    """The options; what is left out does not filter."""

    jurisdiction: Annotated[str, typer.Option(help="Where filed: GB/T 2260, 330000.", rich_help_panel=_PANEL)] = ""
    provider: Annotated[str, typer.Option(help="Provider: provider/wave.", rich_help_panel=_PANEL)] = ""
    category: Annotated[str, typer.Option(help="Category code.", rich_help_panel=_PANEL)] = ""
    subject_kind: Annotated[
        str,
        typer.Option(
            help="person, party_or_government, enterprise, public_institution or peoples_organisation.",
            rich_help_panel=_PANEL,
        ),
    ] = ""
    subject_region: Annotated[
        str, typer.Option(help="Region of the subject: GB/T 2260, 330000.", rich_help_panel=_PANEL)
    ] = ""
    state: Annotated[str, typer.Option(help="filed, accepted, returned or withdrawn.", rich_help_panel=_PANEL)] = ""
    filed_from: Annotated[
        str, typer.Option(metavar="TIME", help="Filed at this time or later.", rich_help_panel=_PANEL)
    ] = ""
    filed_before: Annotated[
        str, typer.Option(metavar="TIME", help="Filed before this time.", rich_help_panel=_PANEL)
    ] = ""
    text: Annotated[
        str,
        typer.Option(
            help="In the public names: two or more Chinese characters, or a word's beginning.", rich_help_panel=_PANEL
        ),
    ] = ""
    as_of: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help="The register as it stood then. Times are 2026-01-31 or 2026-01-31T08:30; Chinese time unless said.",
            rich_help_panel=_PANEL,
        ),
    ] = ""

    def filter(self) -> FilingFilter:
        """Returns the filter.

        Raises:
            typer.BadParameter: a value cannot be read.
        """
        return FilingFilter(
            jurisdiction=self.jurisdiction,
            provider=self.provider,
            category=self.category,
            subject_kind=named(SubjectKind, self.subject_kind, "--subject-kind") or SubjectKind.UNSPECIFIED,
            subject_region=self.subject_region,
            state=named(FilingState, self.state, "--state") or FilingState.UNSPECIFIED,
            filed_from=time_of(self.filed_from, "--filed-from"),
            filed_before=time_of(self.filed_before, "--filed-before"),
            text=self.text,
            as_of=time_of(self.as_of, "--as-of"),
        )


def named(kind: type[Kind], name: str, option: str) -> Kind | None:
    """Returns the member of an enum by its name in small letters; None for an empty name.

    Raises:
        typer.BadParameter: there is none.
    """
    members = {member.name.lower(): member for member in kind if member}
    if name and name not in members:
        raise typer.BadParameter(f"choose one of {', '.join(members)}", param_hint=option)
    return members.get(name)


def time_of(text: str, option: str) -> datetime | None:
    """Returns a time that an option names; None for an empty one. Chinese time unless it says another.

    Raises:
        typer.BadParameter: it cannot be read.
    """
    return stated_time(text, option) if text else None


def stated_time(text: str, option: str) -> datetime:
    """Returns a time that has to be stated; see time_of."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("write it as 2026-01-31 or 2026-01-31T08:30:00+08:00", param_hint=option) from None
    return time if time.tzinfo else time.replace(tzinfo=CHINA_STANDARD_TIME)
