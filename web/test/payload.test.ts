import { deflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { textOf } from "../src/shared/payload.ts";

const deflated = (text: string): string => deflateSync(text).toString("base64");

describe("the data of a page", () => {
  it("is read as it stands", async () => {
    expect(await textOf({ type: "application/json", text: '{"a":1}' })).toBe('{"a":1}');
  });

  it("is inflated", async () => {
    const long = JSON.stringify(Array.from({ length: 100_000 }, (_, i) => i * i));
    expect(await textOf({ type: "application/zlib", text: deflated(long) })).toBe(long);
  });

  it.each([deflated("[1]").slice(0, 8), btoa("no data"), "%"])("that is damaged is an error: %s", async (text) => {
    await expect(textOf({ type: "application/zlib", text })).rejects.toThrow();
  });
});
