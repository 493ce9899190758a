"""The statement of reasons that the owner of an account is given with a measure (Art. 8(1), answer 1), in Chinese.

It names the act, the baseline that the act broke, the gravity, the measure with its times, and until when the owner may
appeal: whether an account stays depends on what it publishes, not on what it is. Titles come from the policy in force.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shared.clock import from_micros
from shared.provisions.account_history import Measure
from shared.provisions.agreements import BASELINES
from shared.provisions.appeals import appeal_by
from shared.provisions.measure_kinds import Gravity, MeasureKind
from shared.provisions.policy import CHINA_STANDARD_TIME, Policy, policy_at_micros
from shared.provisions.spans import FOREVER

KINDS: Final[dict[int, str]] = {
    MeasureKind.WARN: "警示",
    MeasureKind.RESTRICT_PUBLISHING: "限制发布(不得发布、转载时政类新闻)",
    MeasureKind.SUSPEND_UPDATES: "暂停更新",
    MeasureKind.CLOSE: "关闭账号",
}
GRAVITIES: Final[dict[int, str]] = {Gravity.ORDINARY: "一般", Gravity.SERIOUS: "较重", Gravity.GRAVE: "严重"}


def statement_of_reasons(measure: Measure, policies: Sequence[Policy]) -> str:
    """Writes the statement of reasons for a measure that was judged.

    Args:
        measure: as it was taken.
        policies: in the order of their versions; the one in force at its start gives the titles.

    Returns:
        At most 1,000 characters.
    """
    policy = policy_at_micros(policies, measure.start_time)
    titles = {term.code: term.title_zh for term in policy.measure_reasons} if policy else {}
    parts = [
        "根据《即时通信工具公众信息服务发展管理暂行规定》第八条,",
        f"因该公众账号存在“{titles.get(measure.reason, measure.reason)}”的行为,",
        f"违反第六条规定的“{BASELINES[measure.baseline - 1]}”,情节{GRAVITIES[measure.gravity]},",
        f"现采取“{KINDS[measure.kind]}”措施,{_times(measure)}。",
    ]
    if measure.order_entry_id:
        parts.append(f"本措施依主管部门的决定作出,决定编号{measure.order_entry_id}。")
    until = appeal_by(measure, policies)
    if until != FOREVER:
        parts.append(
            f"账号主体如有异议,可在{_moment(until)}前向本服务提供者申诉;对申诉结果仍有异议的,可向主管部门申诉。"
        )
    return "".join(parts)


def _times(measure: Measure) -> str:
    if measure.end_time == FOREVER:
        return f"自{_moment(measure.start_time)}起生效,申诉期满后不再恢复"
    return f"自{_moment(measure.start_time)}起至{_moment(measure.end_time)}止"


def _moment(time: int) -> str:
    local = from_micros(time).astimezone(CHINA_STANDARD_TIME)
    return f"{local.year}年{local.month}月{local.day}日{local:%H:%M}(北京时间)"
