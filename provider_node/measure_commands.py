"""Commands about measures, appeals and the orders of regulators."""

from __future__ import annotations

import sys
from datetime import datetime
from enum import IntEnum
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from provider_node.commands import AsJson, DataFolder, ask, row_of
from shared import cli
from shared.client.provider import ProviderClient
from shared.client.report_types import Measure, MeasureState, Order
from shared.provisions.directives import OrderAnswer
from shared.provisions.measure_kinds import Gravity, MeasureKind

E = TypeVar("E", bound=IntEnum)

measures = typer.Typer(help="Takes measures on accounts, lifts them, and decides appeals.", no_args_is_help=True)
orders = typer.Typer(help="Lists and answers the orders of regulators.", no_args_is_help=True)

MeasureId = Annotated[str, typer.Argument(help="The measure's id.")]
MEASURE_COLUMNS = ("measure_id", "account_id", "kind", "baseline", "reason", "state", "appeal", "end_time", "report")
ORDER_COLUMNS = (
    "order_entry_id",
    "regulator",
    "account_id",
    "ordered_measure",
    "days",
    "reason",
    "answer_by_time",
    "answer",
)


@measures.command(
    epilog="Example: provider-node measures apply --data wave 5f0c… warn --baseline 7 --reason false_information"
    " --until 2026-03-09"
)
def apply(
    data: DataFolder,
    account_id: Annotated[str, typer.Argument(help="The account's id.")],
    kind: Annotated[str, typer.Argument(help="warn, restrict_publishing, suspend_updates or close.")],
    baseline: Annotated[int, typer.Option(min=1, max=7, help="The baseline that the act broke.")],
    reason: Annotated[str, typer.Option(help="The act: a measure reason of the policy.")],
    gravity: Annotated[str, typer.Option(help="ordinary, serious or grave: how far the ladder may be jumped.")] = (
        "ordinary"
    ),
    until: Annotated[
        datetime | None, typer.Option(help="Until when, exclusive, ISO 8601; not for close or with --order.")
    ] = None,
    order: Annotated[str, typer.Option(help="The regulator's order that it carries out.")] = "",
    request_id: Annotated[str, typer.Option(help="A UUID, to repeat the call safely.")] = "",
    as_json: AsJson = False,
) -> None:
    """Takes a measure; it is in force when the command returns."""
    what, how_grave, end = _word(MeasureKind, kind, "KIND"), _word(Gravity, gravity, "--gravity"), _aware(until)
    measure = ask(
        data,
        lambda node: node.apply_measure(
            account_id,
            what,
            baseline=baseline,
            reason=reason,
            gravity=how_grave,
            end_time=end,
            order_entry_id=order,
            request_id=request_id,
        ),
    )
    _print([measure], as_json)


@measures.command(epilog="Example: provider-node measures lift --data wave 4b0c…")
def lift(data: DataFolder, measure_id: MeasureId, as_json: AsJson = False) -> None:
    """Lifts a measure before its end."""
    _print([ask(data, lambda node: node.lift_measure(measure_id))], as_json)


@measures.command(epilog="Example: provider-node measures show --data wave 4b0c…")
def show(data: DataFolder, measure_id: MeasureId, as_json: AsJson = False) -> None:
    """Shows a measure with its statement of reasons for the owner."""
    measure = ask(data, lambda node: node.get_measure(measure_id))
    _print([measure], as_json)
    if not as_json:
        typer.echo(measure.statement_of_reasons)


@measures.command("list", epilog="Example: provider-node measures list --data wave --state in_force")
def list_measures(
    data: DataFolder,
    account: Annotated[str, typer.Option(help="Only measures on this account.")] = "",
    state: Annotated[str, typer.Option(help="in_force, expired, lifted, overturned or final; left out: all.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="Most measures to print.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Lists measures, newest first."""
    wanted = _word(MeasureState, state, "--state") if state else MeasureState.UNSPECIFIED

    async def question(node: ProviderClient) -> list[Measure]:
        found: list[Measure] = []
        async for measure in node.measures(account_id=account, state=wanted):
            found.append(measure)
            if len(found) == limit:
                break
        return found

    _print(ask(data, question), as_json)


@measures.command(epilog="Example: provider-node measures appeal --data wave 4b0c… --statement-file words.txt")
def appeal(
    data: DataFolder,
    measure_id: MeasureId,
    statement_file: Annotated[Path, typer.Option(help="A file with the owner's words; - for stdin.")],
    as_json: AsJson = False,
) -> None:
    """Takes the owner's appeal at the provider."""
    words = (sys.stdin.read() if str(statement_file) == "-" else statement_file.read_text("utf-8")).strip()
    _print([ask(data, lambda node: node.submit_appeal(measure_id, words))], as_json)


@measures.command("decide-appeal", epilog="Example: provider-node measures decide-appeal --data wave 4b0c… --upheld")
def decide_appeal(
    data: DataFolder,
    measure_id: MeasureId,
    overturned: Annotated[bool, typer.Option("--overturned/--upheld", help="What was decided.")],
    actor: Annotated[str, typer.Option(help="Who decides: your own name for the operator.")] = "operator",
    as_json: AsJson = False,
) -> None:
    """Decides an appeal; overturning undoes the measure at once."""
    decided = ask(data, lambda node: node.decide_appeal(measure_id, overturned=overturned, actor=actor))
    _print([decided], as_json)


@measures.command("appeal-on", epilog="Example: provider-node measures appeal-on --data wave 4b0c…")
def appeal_on(data: DataFolder, measure_id: MeasureId, as_json: AsJson = False) -> None:
    """Sends the owner's appeal on to the regulator."""
    _print([ask(data, lambda node: node.appeal_to_regulator(measure_id))], as_json)


@orders.command("list", epilog="Example: provider-node orders list --data wave")
def list_orders(
    data: DataFolder,
    everything: Annotated[bool, typer.Option("--all", help="Also those that are answered.")] = False,
    as_json: AsJson = False,
) -> None:
    """Lists orders, those first that are due first."""

    async def question(node: ProviderClient) -> list[Order]:
        return [order async for order in node.orders(answered_too=everything)]

    _print_orders(ask(data, question), as_json)


@orders.command(epilog="Example: provider-node orders answer --data wave 0193… --done")
def answer(
    data: DataFolder,
    order_entry_id: Annotated[str, typer.Argument(help="The order's entry id.")],
    done: Annotated[bool, typer.Option("--done/--impossible", help="Whether it was carried out.")],
    reason: Annotated[str, typer.Option(help="Why it is impossible: an answer reason of the policy.")] = "",
    as_json: AsJson = False,
) -> None:
    """Answers an order."""
    what = OrderAnswer.DONE if done else OrderAnswer.IMPOSSIBLE
    _print_orders([ask(data, lambda node: node.answer_order(order_entry_id, what, reason=reason))], as_json)


def mount(program: typer.Typer) -> None:
    """Adds the commands to a program."""
    program.add_typer(measures, name="measures")
    program.add_typer(orders, name="orders")


def _print(found: list[Measure], as_json: bool) -> None:
    if as_json:
        cli.print_json(found if len(found) != 1 else found[0])
        return
    rows = [
        row_of(measure)
        | {
            "kind": measure.kind.name.lower(),
            "state": measure.state.name.lower(),
            "appeal": measure.appeal.name.lower() if measure.appeal else "",
            "report": measure.report.state.name.lower() if measure.report else "",
        }
        for measure in found
    ]
    cli.print_rows(rows, columns=MEASURE_COLUMNS, as_json=False)


def _print_orders(found: list[Order], as_json: bool) -> None:
    if as_json:
        cli.print_json(found)
        return
    rows = [
        row_of(order)
        | {
            "ordered_measure": order.ordered_measure.name.lower() if order.ordered_measure else "",
            "answer": order.answer.name.lower() if order.answer else "",
        }
        for order in found
    ]
    cli.print_rows(rows, columns=ORDER_COLUMNS, as_json=False)


def _word(kind: type[E], text: str, hint: str) -> E:
    words = {each.name.lower(): each for each in kind if each}
    if text not in words:
        raise typer.BadParameter(f"choose one of {', '.join(words)}", param_hint=hint)
    return words[text]


def _aware(time: datetime | None) -> datetime | None:
    return time.astimezone() if time is not None else None
