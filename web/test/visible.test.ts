import { expect, it } from "vitest";
import { nameOf, visible } from "../src/shared/visible.ts";

it("shows what would turn text around, end a line or not be seen", () => {
  expect(visible("\u202eevil\u202c")).toBe("\\u202eevil\\u202c");
  expect(visible("a\u0000b\n\t\u001bc\u2028d\ud800e\ufeff")).toBe("a\\x00b\\n\\t\\x1bc\\u2028d\\ud800e\\ufeff");
});

it("leaves all other text as it is", () => {
  for (const text of ["layers.0–31 ×32", "שלום", "می‌خواهم", "👩‍👩‍👧‍👦", "<b>&amp;</b>", "a b"])
    expect(visible(text)).toBe(text);
});

it("gives names of blanks something to be seen", () => {
  expect([nameOf(""), nameOf("  "), nameOf("conv1")]).toEqual(["(root)", "␣␣", "conv1"]);
});
