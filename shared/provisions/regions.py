"""The regions of the network: the nation and the 34 provinces of GB/T 2260.

A region is never finer than a province, on the wire as in the rules. District codes change with every reform, so only
their province prefix is read: a code that was abolished decades ago still tells its province.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shared.errors import InvalidInput, Violation

NATION: Final = "100000"


@dataclass(frozen=True, slots=True)
class Region:
    """A province or the nation, with its GB/T 2260 code of 6 digits."""

    code: str
    name_zh: str
    name_en: str


_ROWS: Final = (
    (NATION, "全国", "Nation"),
    ("110000", "北京市", "Beijing"),
    ("120000", "天津市", "Tianjin"),
    ("130000", "河北省", "Hebei"),
    ("140000", "山西省", "Shanxi"),
    ("150000", "内蒙古自治区", "Inner Mongolia"),
    ("210000", "辽宁省", "Liaoning"),
    ("220000", "吉林省", "Jilin"),
    ("230000", "黑龙江省", "Heilongjiang"),
    ("310000", "上海市", "Shanghai"),
    ("320000", "江苏省", "Jiangsu"),
    ("330000", "浙江省", "Zhejiang"),
    ("340000", "安徽省", "Anhui"),
    ("350000", "福建省", "Fujian"),
    ("360000", "江西省", "Jiangxi"),
    ("370000", "山东省", "Shandong"),
    ("410000", "河南省", "Henan"),
    ("420000", "湖北省", "Hubei"),
    ("430000", "湖南省", "Hunan"),
    ("440000", "广东省", "Guangdong"),
    ("450000", "广西壮族自治区", "Guangxi"),
    ("460000", "海南省", "Hainan"),
    ("500000", "重庆市", "Chongqing"),
    ("510000", "四川省", "Sichuan"),
    ("520000", "贵州省", "Guizhou"),
    ("530000", "云南省", "Yunnan"),
    ("540000", "西藏自治区", "Tibet"),
    ("610000", "陕西省", "Shaanxi"),
    ("620000", "甘肃省", "Gansu"),
    ("630000", "青海省", "Qinghai"),
    ("640000", "宁夏回族自治区", "Ningxia"),
    ("650000", "新疆维吾尔自治区", "Xinjiang"),
    ("710000", "台湾省", "Taiwan"),
    ("810000", "香港特别行政区", "Hong Kong"),
    ("820000", "澳门特别行政区", "Macao"),
)

PROVINCES: Final[dict[str, Region]] = {row[0]: Region(*row) for row in _ROWS}


def region_of(code: str) -> str:
    """Returns the province that a GB/T 2260 code belongs to.

    Args:
        code: 6 digits, of a province, city or district, in force or abolished.

    Returns:
        The code of the province, "100000" for the nation.

    Raises:
        InvalidInput: REGION_UNKNOWN where no province has that prefix.
    """
    province = f"{code[:2]}0000"
    if len(code) != 6 or not code.isascii() or not code.isdigit() or province not in PROVINCES:
        mend = "give a GB/T 2260 code of 6 digits that begins with the prefix of a province"
        raise InvalidInput(
            "the region is not one of GB/T 2260", "REGION_UNKNOWN", [Violation("region", "REGION_UNKNOWN", mend)]
        )
    return province
