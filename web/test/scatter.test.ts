// @vitest-environment jsdom
import { expect, it } from "vitest";
import { placed } from "../src/report/scatter.ts";

const dot = (x: number, y: number, r = 10) => ({ left: x - r, right: x + r, top: y - r, bottom: y + r });
const room = { left: 0, right: 400 };
// Without a canvas a letter is 8 pixels wide: "matmul" is 48.

it("puts a name to the right of its dot, or to the left where the picture ends or a dot stands", () => {
  const alone = dot(200, 50);
  expect(placed([{ text: "matmul", dot: alone }], [alone], room)).toEqual([{ text: "matmul", left: 214, level: 54 }]);
  const last = dot(380, 50);
  expect(placed([{ text: "matmul", dot: last }], [last], room)[0]!.left).toBe(370 - 4 - 48);
  const beside = [alone, dot(240, 50)];
  expect(placed([{ text: "matmul", dot: alone }], beside, room)[0]!.left).toBe(190 - 4 - 48);
});

it("leaves a name out that would lie on another, and never cuts one", () => {
  const dots = [dot(100, 50), dot(100, 52)];
  const names = dots.map((one, i) => ({ text: `matmul${i}`, dot: one }));
  // The second finds room on the left; a third finds none.
  expect(placed(names, dots, room).map(({ text }) => text)).toEqual(["matmul0", "matmul1"]);
  const three = [...dots, dot(100, 54)];
  expect(placed([...names, { text: "matmul2", dot: three[2]! }], three, room)).toHaveLength(2);
  const long = dot(50, 50);
  expect(placed([{ text: "m".repeat(60), dot: long }], [long], room)).toEqual([]);
});
