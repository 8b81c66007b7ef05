"""The messages of a conversation: drawn line by line, so that thousands cost no more than those that are seen."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import date
from itertools import accumulate
from typing import ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.content import Content
from textual.geometry import Size
from textual.message import Message as Notice
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.style import Style
from textual.visual import Visual

from messaging_client import Id, Message
from messaging_client.tui.blocks import Block, Shown, blocks_of, body, heading, is_one_line
from messaging_client.tui.desk import FAILED

_NEAR_THE_TOP = 3  # lines; nearer than that, older messages are asked for
_BAR = "▌"
_DRAWN = 500  # blocks that are kept as they were drawn


class MessageList(ScrollView, can_focus=True):
    """Shows messages, keeps its place while others come before and after, and lets the user choose one."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "message-list--message",
        "message-list--chosen",
        "message-list--own",
        "message-list--other",
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Details"),
        Binding("r", "retry", "Send again"),
        Binding("x", "discard", "Discard"),
        Binding("m", "mark", "Mark read"),
        Binding("i", "write", "Write"),
        Binding("up,k", "choose(-1)", "Previous message", show=False, key_display="↑"),
        Binding("down,j", "choose(1)", "Next message", show=False, key_display="↓"),
        Binding("pageup", "page(-1)", "A page up", show=False),
        Binding("pagedown", "page(1)", "A page down", show=False),
        Binding("home", "first", "First message", show=False),
        Binding("end", "last", "Last message", show=False),
    ]

    chosen: reactive[Id | None] = reactive(None)

    class Asked(Notice):
        """The user asks for something to be done with a message."""

        def __init__(self, what: str, message: Message) -> None:
            super().__init__()
            self.what = what
            self.message = message

    class NearTop(Notice):
        """The oldest messages are in sight."""

    class Moved(Notice):
        """Another stretch is in sight."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._blocks: list[Block] = []
        self._heights: dict[Id, tuple[Block, int]] = {}
        self._strips: LRUCache[Id, tuple[Block, list[Strip]]] = LRUCache(_DRAWN)
        self._chosen_strips: tuple[Block, list[Strip]] | None = None
        self._ends: list[int] = []  # line after the last of each block
        self._places: dict[Id, int] = {}
        self._width = 0
        self._seen_to: Id | None = None

    # --- what is shown -----------------------------------------------------------------------------------------------

    def show(self, shown: Shown, today: date) -> None:
        """Show a conversation as it is now; what is in sight stays there, and the end stays the end."""
        at_end, anchor = self.is_at_end, self._anchor()
        self._blocks = list(blocks_of(shown, today))
        self._lay_out()
        if self.chosen is not None and self.chosen not in self._places:
            self.chosen = None
        self._choose_last_if_none()
        self._return_to(at_end, anchor)
        self.refresh_bindings()  # the state of the chosen message may be another now

    def forget(self) -> None:
        """Show nothing, and begin at the end with whatever is shown next."""
        self._blocks.clear()
        self._heights.clear()
        self._strips.clear()
        self.chosen = None
        self._seen_to = None
        self._lay_out()
        self._go(0)

    @property
    def is_at_end(self) -> bool:
        """Whether the last line is in sight."""
        return self.scroll_offset.y >= self._farthest

    @property
    def below(self) -> int:
        """How many messages came at the end since it was in sight."""
        if self.is_at_end or self._seen_to is None or self._seen_to not in self._places:
            return 0
        return sum(each.message is not None for each in self._blocks[self._places[self._seen_to] + 1 :])

    @property
    def chosen_message(self) -> Message | None:
        """The message that the user has chosen."""
        place = None if self.chosen is None else self._places.get(self.chosen)
        return None if place is None else self._blocks[place].message

    @property
    def _farthest(self) -> int:
        return max(0, (self._ends[-1] if self._ends else 0) - self.scrollable_content_region.height)

    def _ids(self) -> list[Id]:
        return [each.key for each in self._blocks if each.message is not None]

    def _lay_out(self) -> None:
        width = self.scrollable_content_region.width
        if width != self._width:
            self._width = width
            self._strips.clear()
            self._heights.clear()
        self._chosen_strips = None
        kept = self._heights
        self._heights = {}
        for block in self._blocks:
            known = kept.get(block.key)
            if known is None or not _is_same(known[0], block):
                known = (block, self._height(block))
            self._heights[block.key] = known
        self._ends = list(accumulate(self._heights[each.key][1] for each in self._blocks))
        self._places = {each.key: index for index, each in enumerate(self._blocks)}
        self.virtual_size = Size(width, self._ends[-1] if self._ends else 0)
        self.refresh()

    def _anchor(self) -> tuple[Id, int] | None:
        """The first message in sight, and how many of its lines are above."""
        y = self.scroll_offset.y
        for place in range(bisect_right(self._ends, y), len(self._blocks)):
            if self._blocks[place].message is not None:
                return self._blocks[place].key, y - self._begin(place)
        return None

    def _return_to(self, at_end: bool, anchor: tuple[Id, int] | None) -> None:
        if at_end:
            self._go(self._farthest)
            ids = self._ids()
            self._seen_to = ids[-1] if ids else None
        elif anchor is not None and anchor[0] in self._places:
            self._go(self._begin(self._places[anchor[0]]) + anchor[1])
        self._look_up()

    def _go(self, y: int) -> None:
        # By force: where all was in sight until now, Textual does not know yet that there is something to scroll.
        self.scroll_to(y=y, animate=False, force=True)

    def _begin(self, place: int) -> int:
        return self._ends[place - 1] if place else 0

    def _look_up(self) -> None:
        if self._blocks and self.scroll_offset.y <= _NEAR_THE_TOP:
            self.post_message(self.NearTop())

    # --- drawing -----------------------------------------------------------------------------------------------------

    def _height(self, block: Block) -> int:
        """How many lines a block takes; to know that of all, none has to be drawn."""
        if block.message is None:
            return 1
        text, width = body(block), self._text_width
        # As most messages are, and a tenth of the time: one line that is not to be wrapped.
        lines = 1 if is_one_line(text.plain, width) else text.get_height({}, width)
        return lines + 2

    @property
    def _text_width(self) -> int:
        return max(1, self._width - 3)

    def _draw(self, block: Block, *, is_chosen: bool = False) -> list[Strip]:
        classes = ("message-list--message", *(["message-list--chosen"] if is_chosen else []))
        style = self.get_visual_style(*classes)
        width = max(1, self._width)
        if block.message is None:
            return [self._rule(block, width, style)]
        left, right = heading(block)
        room = max(1, width - 3 - (right.cell_length + 1 if right.cell_length else 0))
        left = left.truncate(room, ellipsis=True)
        title = Content.assemble(left, " " * max(0, room - left.cell_length + (1 if right.cell_length else 0)), right)
        bar_style = self.get_visual_style(*classes, f"message-list--{'own' if block.is_own else 'other'}")
        bar = Strip([Segment(f"{_BAR} ", bar_style.rich_style)])
        lines = [
            *Visual.to_strips(self, title, width - 2, 1, style),
            *Visual.to_strips(self, body(block), self._text_width, None, style),
        ]
        filled = [Strip.join([bar, line]).adjust_cell_length(width, style.rich_style) for line in lines]
        return [*filled, Strip.blank(width, self.get_visual_style("message-list--message").rich_style)]

    def _rule(self, block: Block, width: int, style: Style) -> Strip:
        words = f" {block.rule} "
        side = max(0, width - len(words))
        line = Content.styled("─" * (side // 2) + words + "─" * (side - side // 2), block.style)
        (strip,) = Visual.to_strips(self, line.truncate(width), width, 1, style)
        return strip

    def render_line(self, y: int) -> Strip:
        """Give a line of what is in sight."""
        line = self.scroll_offset.y + y
        place = bisect_right(self._ends, line)
        if place >= len(self._blocks):
            return Strip.blank(self.size.width, self.get_visual_style("message-list--message").rich_style)
        block = self._blocks[place]
        strips = self._strips_of(block)
        return strips[min(line - self._begin(place), len(strips) - 1)]

    def _strips_of(self, block: Block) -> Sequence[Strip]:
        if block.message is None or block.key != self.chosen or not self.has_focus:
            known = self._strips.get(block.key)
            if known is None or known[0] != block:
                known = self._strips[block.key] = (block, self._draw(block))
            return known[1]
        if self._chosen_strips is None or self._chosen_strips[0] != block:
            self._chosen_strips = (block, self._draw(block, is_chosen=True))
        return self._chosen_strips[1]

    def notify_style_update(self) -> None:
        """Draw everything anew: colours have changed."""
        super().notify_style_update()
        self._strips.clear()
        self._lay_out()

    def on_resize(self) -> None:
        """Wrap everything anew."""
        at_end, anchor = self.is_at_end or self._width == 0, self._anchor()
        self._lay_out()
        self._return_to(at_end, anchor)

    # --- moving ------------------------------------------------------------------------------------------------------

    def watch_chosen(self) -> None:
        """Another message is chosen."""
        self._chosen_strips = None
        self.refresh()
        self.refresh_bindings()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Ask for older messages near the top, and see whether the end was reached."""
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) == round(new_value):
            return
        if self.is_at_end:
            ids = self._ids()
            self._seen_to = ids[-1] if ids else None
        if new_value < old_value:
            self._look_up()
        self.post_message(self.Moved())

    def watch_has_focus(self, value: bool) -> None:
        """Choose the last message, unless one is chosen."""
        super().watch_has_focus(value)
        self.refresh()
        self._choose_last_if_none()

    def _choose_last_if_none(self) -> None:
        ids = self._ids()
        if self.chosen is None and ids and self.has_focus:
            self.chosen = ids[-1]

    def action_choose(self, step: int) -> None:
        """Choose the next message, or scroll within one that is larger than what is in sight."""
        ids = self._ids()
        if self.chosen not in self._places or not ids:
            self.chosen = ids[-1] if ids else None
            return
        place = self._places[self.chosen]
        top, end = self._begin(place), self._ends[place]
        y, height = self.scroll_offset.y, self.scrollable_content_region.height
        if (step > 0 and end > y + height) or (step < 0 and top < y):
            self._go(y + step * max(1, height // 2))
            return
        index = min(len(ids) - 1, max(0, ids.index(self.chosen) + step))
        self.chosen = ids[index]
        self._bring_into_sight(ids[index], is_first=index == 0, is_last=index == len(ids) - 1)

    def _bring_into_sight(self, key: Id, *, is_first: bool, is_last: bool) -> None:
        place, y, height = self._places[key], self.scroll_offset.y, self.scrollable_content_region.height
        top, end = self._begin(place), self._ends[place]
        if is_first:
            self._go(0)
        elif is_last:
            self._go(max(0, end - height))
        elif top < y or end - top > height:
            self._go(top)
        elif end > y + height:
            self._go(end - height)

    def action_page(self, step: int) -> None:
        """Go on by what is in sight, and choose a message that is in sight then."""
        height = max(1, self.scrollable_content_region.height - 1)
        y = min(self._farthest, max(0, self.scroll_offset.y + step * height))
        self._go(y)
        line = y if step < 0 else y + height
        for place in range(min(bisect_right(self._ends, line), len(self._blocks) - 1), -1, -1):
            if self._blocks[place].message is not None:
                self.chosen = self._blocks[place].key
                return

    def action_first(self) -> None:
        """Go to the first message that is here."""
        ids = self._ids()
        self.chosen = ids[0] if ids else None
        self._go(0)
        self._look_up()

    def follow(self) -> None:
        """Go to the end and stay there; the last message is chosen next, whichever it is then."""
        self.chosen = None
        self._go(self._farthest)

    def action_last(self) -> None:
        """Go to the last message."""
        ids = self._ids()
        self.chosen = ids[-1] if ids else None
        self._go(self._farthest)

    # --- asking ------------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what can be done with the chosen message only."""
        message = self.chosen_message
        if action in ("retry", "discard"):
            return message is not None and message.status in FAILED
        if action == "mark":
            place = None if self.chosen is None else self._places.get(self.chosen)
            return place is not None and self._blocks[place].is_unread
        if action == "open":
            return message is not None
        return True

    def _ask(self, what: str) -> None:
        if self.chosen_message is not None:
            self.post_message(self.Asked(what, self.chosen_message))

    def action_open(self) -> None:
        """Show the whole of the chosen message."""
        self._ask("open")

    def action_retry(self) -> None:
        """Send the chosen message again."""
        self._ask("retry")

    def action_discard(self) -> None:
        """Drop the chosen message."""
        self._ask("discard")

    def action_mark(self) -> None:
        """Mark the chosen message as read."""
        self._ask("mark")

    def action_write(self) -> None:
        """Go where messages are written."""
        self.post_message(self.WriteAsked())

    class WriteAsked(Notice):
        """The user wants to write."""


def _is_same(known: Block, block: Block) -> bool:
    """Whether a block is as high as it was; messages that are unchanged are the same object, which is quickly seen."""
    return known.message is block.message and known.is_own == block.is_own
