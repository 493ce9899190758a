"""The sample input: 366 real news units of the official list of units whose news may be reprinted (5 May 2015).

It is part of that list: names, regions and kinds are public facts out of news_units.tsv. The list has no credit codes,
no licences and no people: what the demo adds of that kind comes from `shared.cluster.made_up`.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from shared.provisions.label_rights import LabelBasis
from shared.provisions.licences import LicenceClass
from shared.provisions.subjects import SubjectKind

_BY_KIND: Final = {
    "news_website": (SubjectKind.ENTERPRISE, "current_political_news"),
    "press": (SubjectKind.PUBLIC_INSTITUTION, "current_political_news"),
    "broadcaster": (SubjectKind.PUBLIC_INSTITUTION, "culture_entertainment"),
    "press_or_broadcaster": (SubjectKind.PUBLIC_INSTITUTION, "current_political_news"),
    "government_website": (SubjectKind.PARTY_OR_GOVERNMENT, "government_services"),
}
_BASES: Final = {
    "news_website": (LabelBasis.NEWS_WEBSITE, LicenceClass.PUBLISH),
    "press": (LabelBasis.NEWS_UNIT, LicenceClass.PUBLISH),
    "broadcaster": (LabelBasis.NEWS_UNIT, LicenceClass.PUBLISH),
    "press_or_broadcaster": (LabelBasis.NEWS_UNIT, LicenceClass.PUBLISH),
    "government_website": (LabelBasis.LICENSED_NON_NEWS_UNIT, LicenceClass.REPRINT),
}
_NAMED_FIELDS: Final = {
    "经济": "economy_finance",
    "财经": "economy_finance",
    "法制": "society_law",
    "体育": "sports",
    "科技": "science_technology",
    "教育报": "education",
    "健康": "health_medicine",
}


@dataclass(frozen=True, slots=True)
class NewsUnit:
    """One row of the list.

    Attributes:
        number: its place in the list, from 1.
        name: public name.
        region: GB/T 2260 province, 100000 for central units.
        kind: as the list groups it.
    """

    number: int
    name: str
    region: str
    kind: str

    @property
    def subject_kind(self) -> SubjectKind:
        """The kind of subject that most units of this group are."""
        return _BY_KIND[self.kind][0]

    @property
    def label_basis(self) -> LabelBasis:
        """Why its account would be granted a label (Art. 7(2))."""
        return _BASES[self.kind][0]

    @property
    def licence_class(self) -> LicenceClass:
        """The class of licence that goes with this basis."""
        return _BASES[self.kind][1]

    @property
    def usual_category(self) -> str:
        """The category that a provider would choose by the group alone."""
        return _BY_KIND[self.kind][1]

    @property
    def fitting_category(self) -> str:
        """The category that the name calls for, where it names a field; else the usual one."""
        return category_called_for(self.name) or self.usual_category


def category_called_for(name: str) -> str:
    """Returns the category of the field that a public name names; empty where it names none."""
    return next((category for word, category in _NAMED_FIELDS.items() if word in name), "")


@cache
def news_units() -> tuple[NewsUnit, ...]:
    """Reads the list.

    Returns:
        All units in the list's order.
    """
    text = files("shared.cluster").joinpath("news_units.tsv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines(), delimiter="\t")
    return tuple(NewsUnit(number, row["name"], row["region"], row["kind"]) for number, row in enumerate(rows, start=1))
