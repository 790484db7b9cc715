// @vitest-environment jsdom
import { expect, it } from "vitest";
import { fileName, svgText } from "../src/chart/export.ts";
import { el, svg } from "../src/shared/dom.ts";

it("a file's name is one that any file system takes", () => {
  expect(fileName(["resnet50"], "csv")).toBe("resnet50.csv");
  expect(fileName(['a/b\\c:"d" é'], "svg")).toBe("a_b_c_d_.svg");
  expect(fileName([""], "png")).toBe("report.png");
  expect(fileName(["resnet50", "", "old"], "svg")).toBe("resnet50_old.svg");
  expect(fileName(["x".repeat(500), "double backward"], "png")).toBe(`${"x".repeat(60)}_double_backward.png`);
});

it("a saved picture has a ground of its own, and none of what the page alone needs", () => {
  document.documentElement.style.setProperty("--panel", "#123456");
  const tile = svg("rect", { class: "tile", "data-tile": 3, "data-path": "conv1" });
  const picture = svg("svg", {}, tile, svg("text", { class: "name" }, "</text><script>"));
  const [ground, ...shapes] = new DOMParser().parseFromString(svgText(picture), "image/svg+xml").documentElement
    .children;
  expect(["width", "height", "fill"].map((name) => ground!.getAttribute(name))).toEqual(["100%", "100%", "#123456"]);
  expect(shapes.map(({ tagName, textContent }) => [tagName, textContent])).toEqual([
    ["rect", ""],
    ["text", "</text><script>"],
  ]);
  for (const name of ["class", "data-tile", "data-path"])
    expect(shapes.filter((shape) => shape.hasAttribute(name))).toEqual([]);
  expect(tile.getAttribute("class")).toBe("tile"); // the page's own picture is as it was
});

it("an element takes text as text, and leaves out attributes that are false", () => {
  const node = el("p", { title: '"', hidden: true, id: null, lang: undefined, dir: false }, "<b>\u202e", null, false);
  expect(node.getAttributeNames()).toEqual(["title", "hidden"]);
  expect([node.title, node.textContent, node.childElementCount]).toEqual(['"', "<b>\\u202e", 0]);
});
