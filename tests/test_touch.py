"""Phones and tablets: the first screen, touch on sliders and charts, layout."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, CDPSession, Locator, Page, expect

from tests.app_server import AppServer
from tests.browsing import settled

PHONE, TABLET = (390, 844), (820, 1180)
ZOOMED = (720, 450)
"""A notebook of 1440 x 900 pixels at 200%."""
ENDED = re.compile("finished|stopped")

Opens = Callable[..., Page]


@pytest.fixture
def opens(browser: Browser, app_server: AppServer) -> Iterator[Opens]:
    """Open a page in a new browser window, by default with a touch screen."""
    contexts = []

    def opened(path: str, size: tuple[int, int], *, touch: bool = True) -> Page:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, has_touch=touch, is_mobile=touch
        )
        contexts.append(context)
        page = context.new_page()
        page.goto(f"{app_server.url}/{path}")
        expect(page.locator(".st-key-run-status")).to_contain_text(ENDED, timeout=120_000)
        settled(page)
        return page

    yield opened
    for context in contexts:
        context.close()


def swipe(page: Page, at: tuple[float, float], by: tuple[float, float], steps: int = 8) -> None:
    """Move a finger over the screen by native touch events."""
    fingers = page.context.new_cdp_session(page)
    _touch(fingers, "touchStart", [at])
    for i in range(1, steps + 1):
        _touch(fingers, "touchMove", [(at[0] + by[0] * i / steps, at[1] + by[1] * i / steps)])
    _touch(fingers, "touchEnd", [])
    fingers.detach()


def pinch(page: Page, at: tuple[float, float]) -> None:
    """Move two fingers apart on the screen."""
    fingers = page.context.new_cdp_session(page)
    for i in range(8):
        apart = 20 + 8 * i
        pair = [(at[0] - apart, at[1]), (at[0] + apart, at[1])]
        _touch(fingers, "touchMove" if i else "touchStart", pair)
    _touch(fingers, "touchEnd", [])
    fingers.detach()


def _touch(fingers: CDPSession, kind: str, points: list[tuple[float, float]]) -> None:
    listed = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
    fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": listed})


RESTING = """async part => {
    let [at, still] = [NaN, 0]
    while (still < 30) {
        part.scrollIntoView({ block: 'center', behavior: 'instant' })
        const { top, left } = part.getBoundingClientRect()
        still = top + left === at ? still + 1 : 0
        at = top + left
        await new Promise(requestAnimationFrame)
    }
}"""


def centred(part: Locator, across: float = 0.5) -> tuple[float, float]:
    """Scroll an element to the middle of the screen; return a point on it."""
    part.evaluate(RESTING)  # a flick goes on for a while
    box = part.bounding_box()
    assert box is not None
    return box["x"] + across * box["width"], box["y"] + box["height"] / 2


def scrolled(page: Page, part: str, before: float) -> None:
    """Wait until an element has been scrolled from its position."""
    arguments = [part, before]
    page.wait_for_function(
        "([part, before]) => Math.abs(document.querySelector(part).scrollTop - before) > 40",
        arg=arguments,
    )


def top_of(page: Page, part: str) -> float:
    return page.evaluate("part => document.querySelector(part).scrollTop", part)


MAIN, MENU = ".stMain", "[data-testid=stSidebarContent]"
SIDEBAR = "[data-testid=stSidebar]"


def open_menu(page: Page) -> None:
    page.get_by_test_id("stExpandSidebarButton").tap()
    expect(page.locator(SIDEBAR)).to_have_attribute("data-collapsed", "false")
    page.wait_for_function(
        "bar => document.querySelector(bar).getBoundingClientRect().x === 0", arg=SIDEBAR
    )


# --- what is seen first ------------------------------------------------------------------------


def test_a_phone_arrives_on_the_picture_and_larger_screens_have_the_controls_as_well(
    opens: Opens,
) -> None:
    phone = opens("dropout", PHONE)
    expect(phone.locator(SIDEBAR)).to_have_attribute("data-collapsed", "true")
    title = phone.get_by_role("heading", level=1)
    expect(title).to_be_in_viewport()
    logo = phone.get_by_test_id("stHeaderLogo").bounding_box()
    box = title.bounding_box()
    assert logo is not None
    assert box is not None
    assert box["y"] >= logo["y"] + logo["height"], "the logo covers the title"
    # what is scrolled away goes under the header, not through it
    header = phone.locator(".stAppHeader")
    assert header.evaluate("bar => getComputedStyle(bar).backgroundColor") == "rgb(255, 255, 255)"
    open_menu(phone)
    expect(phone.locator(SIDEBAR).get_by_text("Dropout p", exact=True)).to_be_visible()
    for size in (TABLET, (1280, 720)):
        page = opens("dropout", size, touch=size == TABLET)
        expect(page.locator(SIDEBAR)).to_have_attribute("data-collapsed", "false")
        expect(page.locator(SIDEBAR).get_by_text("Dropout p", exact=True)).to_be_visible()
    # the projector's view folds the controls away still, and C has them back
    page.locator("body").press("p")
    expect(page.locator(SIDEBAR)).to_be_hidden()
    page.locator("body").press("c")
    expect(page.locator(SIDEBAR)).to_be_visible()


# --- fingers on sliders ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "label"), [("", "Dropout p"), ("penalties", "L1 λ"), ("noise", "Input noise σ")]
)
def test_a_swipe_over_a_slider_scrolls_and_changes_nothing(
    opens: Opens, path: str, label: str
) -> None:
    page = opens(path, PHONE)
    open_menu(page)
    slider = page.locator(".stSidebar .stSlider").filter(has_text=label).first
    track = slider.locator("[role=group] > [data-orientation]").first
    thumb = slider.locator("input[type=range]")
    value, link = thumb.input_value(), page.url
    on_thumb = float(value) / float(thumb.get_attribute("max") or 1)
    for across in (0.15, on_thumb, 0.9):
        at = centred(track, across)
        before = top_of(page, MENU)
        swipe(page, at, (7, -160))
        scrolled(page, MENU, before)
        assert thumb.input_value() == value
    settled(page)
    assert page.url == link
    # sideways, or by a tap, it moves as ever
    swipe(page, centred(track, on_thumb), (70 if on_thumb < 0.5 else -70, 3))
    expect(thumb).not_to_have_value(value)
    moved = thumb.input_value()
    page.touchscreen.tap(*centred(track, 0.97 if on_thumb < 0.5 else 0.03))
    expect(thumb).not_to_have_value(moved)
    page.wait_for_function("link => location.href !== link", arg=link)


def test_a_swipe_over_the_scrubber_scrolls_and_changes_nothing(opens: Opens) -> None:
    page = opens("dropout", PHONE)
    scrubber = page.locator(".rv-scrub input")
    last = scrubber.input_value()
    at, before = centred(scrubber, 0.3), top_of(page, MAIN)
    swipe(page, at, (7, -200))
    scrolled(page, MAIN, before)
    assert scrubber.input_value() == last
    assert page.evaluate("window.__regviz.dropout.live") is True
    swipe(page, centred(scrubber, 0.9), (-40, 3))
    expect(scrubber).not_to_have_value(last)
    moved = scrubber.input_value()
    page.touchscreen.tap(*centred(scrubber, 0.25))
    expect(scrubber).not_to_have_value(moved)


# --- fingers on charts -------------------------------------------------------------------------

RANGES = """gd => Object.entries(gd._fullLayout).filter(([name]) => /^[xy]axis/.test(name))
    .map(([name, axis]) => [name, ...axis.range])"""
PLACE = """gd => {
    const [layout, curve] = [gd._fullLayout, gd.data[1]]
    const k = Math.floor(curve.x.length / 2)
    const box = gd.getBoundingClientRect()
    const place = (axis, v) => axis._offset + axis.l2p(v)
    return [box.x + place(layout.xaxis, curve.x[k]), box.y + place(layout.yaxis, curve.y[k])]
}"""


@pytest.mark.parametrize(
    ("path", "chart"),
    [
        ("dropout", "loss-curves"),
        ("dropout", "decision-boundary"),
        ("penalties", "weight-histogram"),
        ("penalties", "input-groups"),
    ],
)
def test_a_finger_on_a_chart_scrolls_the_page_and_never_zooms(
    opens: Opens, path: str, chart: str
) -> None:
    page = opens(path, PHONE)
    plot = page.locator(f".st-key-{chart} .rv-gd")
    expect(plot.locator(".main-svg").first).to_be_attached()
    ranges = plot.evaluate(RANGES)
    at, before = centred(plot), top_of(page, MAIN)
    swipe(page, at, (30, -220))
    scrolled(page, MAIN, before)
    swipe(page, centred(plot), (150, 4))
    pinch(page, centred(plot))
    assert plot.evaluate(RANGES) == ranges
    # nothing is left as if the finger were still down: the chart goes on following its run
    assert plot.locator(".zoombox, .select-outline").count() == 0


def test_a_tap_on_a_curve_tells_its_value(opens: Opens) -> None:
    page = opens("dropout", PHONE)
    plot = page.locator(".st-key-loss-curves .rv-gd")
    centred(plot)
    x, y = plot.evaluate(PLACE)
    page.touchscreen.tap(x, y)
    expect(plot.locator(".hoverlayer .hovertext").first).to_contain_text("validation")


def test_a_mouse_zooms_as_ever(opens: Opens) -> None:
    page = opens("dropout", (1280, 720), touch=False)
    plot = page.locator(".st-key-loss-curves .rv-gd")
    x, y = centred(plot)
    ranges = plot.evaluate(RANGES)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 120, y + 60, steps=4)
    page.mouse.up()
    page.wait_for_function(
        "([chart, before]) => document.querySelector(chart)._fullLayout.xaxis.range[0] !== before",
        arg=[".st-key-loss-curves .rv-gd", {name: low for name, low, _ in ranges}["xaxis"]],
    )


# --- what fits ---------------------------------------------------------------------------------

CUT = """part => {
    const right = Math.min(part.getBoundingClientRect().right, innerWidth) + 1
    return [...part.querySelectorAll('th, td')]
        .filter(cell => cell.getBoundingClientRect().right > right
            || cell.scrollWidth > cell.clientWidth + 1)
        .map(cell => cell.textContent)
}"""


@pytest.mark.parametrize("size", [PHONE, TABLET, ZOOMED])
def test_the_numbers_are_whole_on_small_screens(opens: Opens, size: tuple[int, int]) -> None:
    for path in ("", "dropout", "penalties"):
        page = opens(path, size, touch=size != ZOOMED)
        readout = page.locator(".st-key-readout")
        expect(readout.locator("th").last).to_be_attached()
        assert readout.evaluate(CUT) == []
        wide = page.locator(MAIN).evaluate("main => main.scrollWidth - main.clientWidth")
        assert wide <= 1, "the page is wider than the screen"


@pytest.mark.parametrize("size", [PHONE, (1280, 1500)])
def test_no_legend_lies_on_its_chart(opens: Opens, size: tuple[int, int]) -> None:
    page = opens("penalties", size, touch=size == PHONE)
    for chart in ("loss-curves", "weight-histogram", "weight-ridges", "input-groups"):
        plot = page.locator(f".st-key-{chart} .rv-gd")
        expect(plot.locator(".legend .traces").first).to_be_attached()
        bottom, top = plot.evaluate(
            """gd => {
                const top = gd.getBoundingClientRect().top + gd._fullLayout._size.t
                const entries = [...gd.querySelectorAll('.legend .traces')]
                const heads = [...gd.querySelectorAll('.annotation')]
                return [
                    Math.max(...entries.map(entry => entry.getBoundingClientRect().bottom)),
                    Math.min(top, ...heads.map(head => head.getBoundingClientRect().top)),
                ]
            }"""
        )
        assert bottom <= top + 6


# --- tooltips ----------------------------------------------------------------------------------

BARE = """() => [...document.querySelectorAll('.stMain button, .st-key-projector button')].filter(
    button => {
        const words = button.querySelector('p')
        const box = words?.getBoundingClientRect()
        const bare = button.closest('.stButton, .stPopover, .stDownloadButton') !== null
        const folded = button.closest('details:not([open])') !== null
        return bare && !folded && button.offsetWidth > 0 && (!box || box.width <= 1)
    }
).map(button => [
    button.querySelector('p')?.textContent ?? button.ariaLabel,
    button.closest('[data-testid=stTooltipHoverTarget]') !== null,
])"""


@pytest.mark.parametrize("path", ["", "dropout", "compare", "sweep"])
def test_every_button_that_shows_only_an_icon_has_a_tooltip(opens: Opens, path: str) -> None:
    page = opens(path, (1280, 720), touch=False)
    bare: list[tuple[str, bool]] = page.evaluate(BARE)
    assert len(bare) >= 5
    assert [name for name, has_tooltip in bare if not has_tooltip] == []
    page.locator("[data-testid=stTooltipHoverTarget]:has(button)").first.hover()
    expect(page.get_by_test_id("stTooltipContent")).to_be_visible()
