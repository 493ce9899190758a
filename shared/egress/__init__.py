"""The egress guard: nothing that names a person crosses a boundary in free text.

It reads every outgoing text on the sender, every incoming one on the receiver, and every line of a log. It finds

- identity numbers of every region: resident cards, residence permits of Hong Kong, Macao and Taiwan residents (81, 82,
  83), permanent residence cards of foreigners (a leading 9), each with a valid check character (GB 11643); and cards of
  the old form with 15 digits, a region and a date;
- mainland mobile numbers, with or without +86, 86, 0086 or a trunk 0;
- passports of the mainland, and permits to travel between the mainland, Hong Kong and Macao;

in every disguise that keeps them readable: digits of any script, width, style or frame; Chinese digits, simple, formal,
traditional or as said over the telephone; characters that look like the check character X or a passport's letter; marks
between digits; invisible characters and accents; letters or words glued to either side; percent-encoding, character
references and escapes, up to four times over.

It passes names, addresses of pages, credit codes, order numbers, dates, landlines and hotlines. The rules that tell
them apart stand in `numbers`, `passports` and `harmless`. What cannot be told apart is found, because the guard fails
closed: eleven bare digits that begin with 13 to 19 are a mobile number even where they are the number of a licence
(such fields carry the grammar option and are not read), and of ten thousand valid credit codes about one is a valid
identity number as well.
"""

from shared.egress.guard import MAX_CHARACTERS, Finding, findings
from shared.egress.messages import check_message

__all__ = ["MAX_CHARACTERS", "Finding", "check_message", "findings"]
