// @vitest-environment jsdom
import { expect, it } from "vitest";
import { fitted } from "../src/shared/measure.ts";

// Without a canvas every letter is 8 pixels wide.
HTMLCanvasElement.prototype.getContext = () => null;

it("a name that fits is whole", () => expect(fitted("features", 64, "tile")).toBe("features"));

it("a name that does not fit keeps both ends, so that it is no other name", () => {
  expect(fitted("input_layernorm", 80, "tile")).toBe("input…norm"); // 10 letters of 8 pixels
  expect(fitted("layer1", 40, "tile")).toBe("la…r1");
});

it("a number is whole or not there", () => {
  expect(fitted("10", 12, "tile")).toBe("");
  expect(fitted("1024", 24, "tile")).toBe("");
  expect(fitted("12345", 30, "tile")).toBe("");
});
