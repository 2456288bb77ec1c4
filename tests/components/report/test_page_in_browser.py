"""The page in a real browser, the network cut: it opens without an error, draws its shapes and turns them."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import BROWSER, NO_GL, SOFTWARE_GL, opened, until
from selenium import webdriver
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.common.by import By
from synthetic_run import write_run

from components.evaluate.evaluate import evaluate
from components.report import ReportSettings
from components.report.report import report

HOSTILE = "<script>document.title = 'run by a class'<"
pytestmark = pytest.mark.skipif(not BROWSER, reason="NO BROWSER: chromium and chromedriver are needed to see a page")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = write_run(tmp_path_factory.mktemp("run"), classes=("chair", "table", HOSTILE), error=0.3)
    evaluation = run.folder / "evaluation"
    evaluate(**run.shards, **run.outputs, evaluation=evaluation)
    predicted = {name: run.outputs[name] for name in ("depths", "reconstructions", "occupancy_reconstructions")}
    file = tmp_path_factory.mktemp("page") / "page.html"
    title = "Chairs & <img src=x onerror=\"document.title='run by the title'\">"
    report(**run.shards, **predicted, **run.models, evaluation=evaluation, page=file, settings=ReportSettings(title))
    return file


@pytest.fixture(scope="module")
def browser(page: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with opened(page, tmp_path_factory.mktemp("profile"), SOFTWARE_GL) as driver:
        until(lambda: drawn_share(driver, 0) > 0)
        yield driver


def picture(driver: webdriver.Chrome, canvas: int) -> bytes:
    """A canvas as PNG."""
    uri = driver.execute_script(f"return document.querySelectorAll('canvas')[{canvas}].toDataURL()")
    return base64.b64decode(uri.split(",")[1])


def drawn_share(driver: webdriver.Chrome, canvas: int) -> float:
    """The share of a canvas that is not transparent."""
    import io

    import numpy as np
    from PIL import Image

    pixels = np.asarray(Image.open(io.BytesIO(picture(driver, canvas))).convert("RGBA"))
    return float((pixels[..., 3] > 0).mean())


def test_it_opens_without_an_error(browser: webdriver.Chrome) -> None:
    assert browser.get_log("browser") == []
    fetched = browser.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    assert [name for name in fetched if not name.startswith(("data:", "blob:"))] == []


def test_names_do_not_run(browser: webdriver.Chrome) -> None:
    assert browser.title.startswith("Chairs & <img src=x")
    assert browser.find_element(By.TAG_NAME, "h1").text.startswith("Chairs & <img src=x")
    assert HOSTILE in browser.find_element(By.CSS_SELECTOR, "#run tbody").text


def test_charts_are_drawn(browser: webdriver.Chrome) -> None:
    charts = browser.find_elements(By.CSS_SELECTOR, "[data-chart]")
    assert len(charts) == 1 + 1 + 2 * 2 + 2, "classes, depth, two reconstructors, classifier"
    assert all(chart.find_elements(By.CSS_SELECTOR, "svg.main-svg") for chart in charts)


def test_shapes_are_drawn_and_turn_together(browser: webdriver.Chrome) -> None:
    assert all(0.05 < drawn_share(browser, k) < 0.9 for k in range(3))
    before = [picture(browser, k) for k in range(3)]
    canvas = browser.find_elements(By.CSS_SELECTOR, "canvas")[0]
    ActionChains(browser).move_to_element(canvas).click_and_hold().move_by_offset(60, 20).release().perform()
    until(lambda: all(picture(browser, k) != before[k] for k in range(3)))
    after = [picture(browser, k) for k in range(3)]
    ActionChains(browser).move_to_element(canvas).move_by_offset(30, 30).perform()
    time.sleep(0.2)
    assert [picture(browser, k) for k in range(3)] == after, "without a button the mouse turns nothing"
    ActionChains(browser).double_click(canvas).perform()
    until(lambda: [picture(browser, k) for k in range(3)] == before)


def test_arrow_keys_turn(browser: webdriver.Chrome) -> None:
    before = picture(browser, 1)
    canvas = browser.find_elements(By.CSS_SELECTOR, "canvas")[1]
    canvas.send_keys(Keys.ARROW_LEFT)
    until(lambda: picture(browser, 1) != before)
    canvas.send_keys(Keys.ARROW_RIGHT)
    until(lambda: picture(browser, 1) == before)


def test_another_object_can_be_chosen(browser: webdriver.Chrome) -> None:
    before, name = picture(browser, 1), browser.find_element(By.CSS_SELECTOR, "[data-text=name]").text
    choices = browser.find_elements(By.CSS_SELECTOR, "[data-example]")
    choices[1].click()
    until(lambda: picture(browser, 1) != before)
    assert browser.find_element(By.CSS_SELECTOR, "[data-text=name]").text != name
    assert [choice.get_attribute("aria-pressed") for choice in choices] == ["false", "true", "false", "false", "false"]
    choices[0].click()
    until(lambda: picture(browser, 1) == before)


def test_every_picture_has_a_text(browser: webdriver.Chrome) -> None:
    images = browser.find_elements(By.CSS_SELECTOR, "main img:not(.choices img)")
    assert len(images) > 12 and all(image.get_attribute("alt") for image in images)


def test_without_webgl_there_are_still_pictures(page: Path, tmp_path: Path) -> None:
    with opened(page, tmp_path, NO_GL, width=390) as driver:
        stills = driver.find_elements(By.CSS_SELECTOR, ".still")
        assert len(stills) == 2 and all(still.is_displayed() for still in stills)
        assert not any(canvas.is_displayed() for canvas in driver.find_elements(By.CSS_SELECTOR, "canvas"))
        source = stills[0].get_attribute("src")
        driver.execute_script("document.querySelectorAll('[data-example]')[1].click()")
        assert stills[0].get_attribute("src") != source
        assert [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []
        width = driver.execute_script("return document.documentElement.scrollWidth")
        assert width == 390, "a phone does not scroll sideways"
